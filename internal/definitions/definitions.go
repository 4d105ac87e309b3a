// Package definitions reads what words mean for a connection from files that
// are kept in git: terms, metrics, default filters, join hints and questions
// whose code is verified. It holds them against a catalog, so that a broken one
// is found before somebody asks, and proposes some from what is there.
package definitions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/sparkwright/sparkwright"
)

// File is one file of definitions.
type File struct {
	// Connection is the one that the definitions are of.
	Connection              string `yaml:"connection"`
	sparkwright.Definitions `yaml:",inline"`

	Path string `yaml:"-"`
}

// Load reads every .yaml and .yml file of a directory, in the order of names. A
// directory that is not there holds none.
func Load(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var out []File
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			return nil, unreadable(path, err)
		}
		f, err := parse(path, text)
		if err != nil {
			return nil, err
		}
		out = append(out, *f)
	}
	return out, nil
}

func unreadable(path string, err error) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the definitions in " + path + " cannot be read", Because: err.Error(),
		Remedy: "docs/definitions.md describes the files", Err: err,
	}
}

// Parse reads the text of one file.
func Parse(path, text string) (*File, error) { return parse(path, []byte(text)) }

// parse reads one file. An unknown field is an error: it would silently mean
// nothing.
func parse(path string, text []byte) (*File, error) {
	f := &File{Path: path}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(path, err)
	}
	if f.Connection == "" {
		return nil, unreadable(path, errors.New("it does not say of which connection: connection: NAME"))
	}
	return f, nil
}

// Of joins the definitions of one connection.
func Of(files []File, connection string) *sparkwright.Definitions {
	d := &sparkwright.Definitions{}
	for i := range files {
		if files[i].Connection == connection {
			add(d, &files[i].Definitions)
		}
	}
	return d
}

func add(d, more *sparkwright.Definitions) {
	d.Terms = append(d.Terms, more.Terms...)
	d.Metrics = append(d.Metrics, more.Metrics...)
	d.Filters = append(d.Filters, more.Filters...)
	d.Joins = append(d.Joins, more.Joins...)
	d.Verified = append(d.Verified, more.Verified...)
}

// For returns the definitions that hold for the tables of a catalog, and says
// of the others why they do not. A definition of tables that are not selected
// is no fault, and left out in silence.
func For(files []File, catalog *sparkwright.Catalog) (*sparkwright.Definitions, []string) {
	d := &sparkwright.Definitions{}
	var notes []string
	var seen []string
	for i := range catalog.Tables {
		name := catalog.Tables[i].Connection
		if slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		part := &sparkwright.Catalog{}
		for k := range catalog.Tables {
			if catalog.Tables[k].Connection == name {
				part.Tables = append(part.Tables, catalog.Tables[k])
			}
		}
		good, problems := sound(Of(files, name), part)
		add(d, good)
		for _, p := range problems {
			if !p.Absent {
				notes = append(notes, fmt.Sprintf("The definition of %q is left out: %s.", p.Name, p.Message))
			}
		}
	}
	return d, notes
}
