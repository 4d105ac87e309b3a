package server

// Routes lists the endpoints as "METHOD /path", for the contract test.
func Routes() []string {
	s := &server{}
	var list []string
	for _, r := range s.endpoints() {
		list = append(list, r.method+" "+r.path)
	}
	return list
}
