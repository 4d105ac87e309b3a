package diagnose

import "github.com/sparkwright/sparkwright"

// Claims names the classes that claim a log at the priority that wins.
func Claims(text string) []string {
	found := matches(&sparkwright.Fault{}, []Log{{"log", text}})
	var out []string
	for _, m := range found {
		best := true
		for _, o := range found {
			if o.rank < m.rank || o.rank == m.rank && o.structure < m.structure {
				best = false
			}
		}
		if best {
			out = append(out, m.class.ID)
		}
	}
	return out
}
