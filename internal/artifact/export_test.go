package artifact

// SetLimits changes what a page and a batch of rows may take, in bytes, and
// returns what undoes it.
func SetLimits(page, batch int64) (undo func()) {
	p, b := maxPage, maxBatch
	maxPage, maxBatch = page, batch
	return func() { maxPage, maxBatch = p, b }
}
