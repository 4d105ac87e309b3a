package doctor

import (
	"context"
	"sync"
	"time"
)

// Cache keeps the report of the cheap checks for a while, so that looking
// before every run costs next to nothing. It is safe for concurrent use.
type Cache struct {
	Checks func(ctx context.Context) ([]Check, error) // made anew for each look
	Age    time.Duration                              // how long a good report is believed
	Now    func() time.Time
	Bad    bool // a bad report is believed too: nothing depends on it

	mu   sync.Mutex
	last *Report
	at   time.Time
}

// Report returns the last report when it is good and young, else looks. What
// failed is looked at again, unless Bad: it may have been mended.
func (c *Cache) Report(ctx context.Context) (*Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && (c.Bad || c.last.Level != Fail) && c.Now().Sub(c.at) < c.Age {
		return c.last, nil
	}
	checks, err := c.Checks(ctx)
	if err != nil {
		return nil, err
	}
	c.last, c.at = Run(ctx, Cheap(checks)), c.Now()
	return c.last, nil
}
