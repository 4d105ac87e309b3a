// Package python carries the Python part of Sparkwright inside the binary:
// the Spark Connect client process (sparkwright_client) and the pinned
// requirements of its private environment.
package python

import "embed"

// FS holds sparkwright_client/*.py and requirements.txt.
//
//go:embed sparkwright_client/*.py requirements.txt
var FS embed.FS
