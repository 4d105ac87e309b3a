package codegen

import "testing/fstest"

// VersionOf is the version that a generator with these prompts would have.
func VersionOf(prompts map[string]string, model string) string {
	files := fstest.MapFS{}
	for path, text := range prompts {
		files[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return version(files, model, Options{})
}
