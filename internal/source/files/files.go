// Package files makes tables of files: CSV, JSON lines and Parquet, a single
// file or a directory of parts. The schema is found once, by reading the file,
// and stands in the table from then on: a job reads with exactly that schema
// and fails on a value that does not fit it, instead of turning it into NULL.
//
// Nothing is guessed that would change a value: numbers with a fixed point
// become decimals, "007" and numbers too long for a decimal stay text, nested
// JSON is kept as its text.
package files

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// The parts of the tables' names, unless Options say otherwise:
// files.local.NAME.
const (
	Connection = "files"
	Schema     = "local"
)

// Options say what cannot be seen in the file. The zero value finds
// everything out.
type Options struct {
	Name      string // of the table; "" = the file's own, without its ending
	Schema    string // "" = "local"
	Format    string // csv, json or parquet; "" = by the file's ending
	Delimiter string // of CSV, one character; "" = found out
	Header    *bool  // whether CSV begins with names; nil = found out
	Location  string // what the job reads; "" = file:// and the path
}

// Inspect reads the file or directory at path and returns the table it makes:
// columns with types and statistics, Location, Format and Options for Spark.
// Errors: CodeNotFound when there is nothing, CodeInvalid when it is no table.
func Inspect(ctx context.Context, path string, opt Options) (sparkwright.Table, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return sparkwright.Table{}, sparkwright.Errorf(sparkwright.CodeInvalid, "the file's path is not one: %w", err)
	}
	if err = plainPath(abs); err != nil {
		return sparkwright.Table{}, err
	}
	parts, format, err := partsOf(abs, opt.Format)
	if err != nil {
		return sparkwright.Table{}, err
	}
	t := sparkwright.Table{
		Source: sparkwright.SourceFiles, Location: opt.Location, Format: format, Connection: Connection, Schema: opt.Schema,
		Name: opt.Name, Kind: sparkwright.KindTable, Readable: true, Comment: filepath.Base(abs),
	}
	if t.Location == "" {
		t.Location = "file://" + abs
	}
	if t.Schema == "" {
		t.Schema = Schema
	}
	if t.Name == "" {
		t.Name = nameOf(abs)
	}
	s := &scan{opt: opt}
	for _, p := range parts {
		if err := s.part(ctx, p, format); err != nil {
			return sparkwright.Table{}, err
		}
	}
	s.finish(&t)
	if len(t.Columns) == 0 {
		return sparkwright.Table{}, notATable(abs, "it is empty", "give a file with at least one column")
	}
	return t, nil
}

// part is one file.
type part struct {
	path  string
	bytes int64
}

// formats by the file's ending, less .gz.
var formats = map[string]string{
	".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet",
}

// formatOf is the format that the ending of a name tells, or "".
func formatOf(path string) string {
	return formats[strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.ToLower(path), ".gz")))]
}

// nameOf is the file's name without its endings.
func nameOf(path string) string {
	base := filepath.Base(path)
	for formatOf(base) != "" || strings.HasSuffix(strings.ToLower(base), ".gz") {
		short := strings.TrimSuffix(base, filepath.Ext(base))
		if short == "" || short == base {
			break
		}
		base = short
	}
	return base
}

// partsOf lists the files at path, and their common format.
func partsOf(path, format string) ([]part, string, error) {
	info, err := os.Stat(path)
	if err != nil {
		code := sparkwright.CodeInvalid
		if os.IsNotExist(err) {
			code = sparkwright.CodeNotFound
		}
		return nil, "", &sparkwright.Error{Code: code, Message: "the file " + path + " cannot be read", Because: reason(err), Remedy: "check its name and permissions", Err: err}
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, "", notATable(path, "it is neither a file nor a directory", "give a file")
		}
		if format == "" {
			format = formatOf(path)
		}
		if format == "" {
			return nil, "", notATable(path, "its ending tells no format", "name it .csv, .jsonl or .parquet")
		}
		return []part{{path, info.Size()}}, format, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, "", sparkwright.Errorf(sparkwright.CodeInvalid, "the directory %s cannot be read: %w", path, err)
	}
	var parts []part
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") { // as Spark does
			continue
		}
		f := formatOf(e.Name())
		if format == "" {
			format = f
		}
		if f != format || f == "" {
			return nil, "", notATable(path, e.Name()+" is of another format than the rest", "keep files of one format in the directory")
		}
		info, err := e.Info()
		if err != nil {
			return nil, "", sparkwright.Errorf(sparkwright.CodeInvalid, "%s cannot be read: %w", e.Name(), err)
		}
		parts = append(parts, part{filepath.Join(path, e.Name()), info.Size()})
	}
	if len(parts) == 0 {
		return nil, "", notATable(path, "the directory holds no file", "give a file, or a directory of .csv, .jsonl or .parquet files")
	}
	return parts, format, nil
}

// plainPath refuses paths that Spark would take for a pattern.
func plainPath(path string) error {
	if i := strings.IndexAny(path, "*?[]{}\\\n\r,"); i >= 0 {
		return notATable(path, fmt.Sprintf("Spark takes %q in a path for a pattern", path[i:i+1]), "rename the file or copy it elsewhere")
	}
	return nil
}

func notATable(path, because, remedy string) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the file " + path + " cannot be read as a table", Because: because, Remedy: remedy,
	}
}

// reason is an error's own words, without the path that is told beside it.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok { //nolint:errorlint // os.Stat returns it as it is
		return p.Err.Error()
	}
	return err.Error()
}

// maxScan is how much of a table is read to find its schema. A value further
// on that does not fit fails the job.
const maxScan = 512 << 20

// scan is what is known of a table while its files are read.
type scan struct {
	opt     Options
	columns []*column
	rows    int64
	read    int64 // bytes
	bytes   int64
	options map[string]string
	whole   bool // parts tell their rows and types themselves
}

func (s *scan) part(ctx context.Context, p part, format string) error {
	s.bytes += p.bytes
	if format == "parquet" {
		return s.parquet(ctx, p.path)
	}
	if s.read >= maxScan {
		return nil
	}
	f, err := os.Open(p.path)
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%s cannot be read: %w", p.path, err)
	}
	defer f.Close() //nolint:errcheck // read only
	counted := &counter{r: f, ctx: ctx}
	var r io.Reader = counted
	if strings.HasSuffix(strings.ToLower(p.path), ".gz") {
		if r, err = gzip.NewReader(counted); err != nil {
			return notATable(p.path, "it is not gzip: "+err.Error(), "name it without .gz, or compress it")
		}
	}
	if format == "csv" {
		err = s.csv(r, p.path)
	} else {
		err = s.json(r, p.path)
	}
	s.read += counted.n
	if ctx.Err() != nil {
		return sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted: %w", ctx.Err())
	}
	return err
}

// counter counts what is read, ends at maxScan, and when ctx ends.
type counter struct {
	r   io.Reader
	ctx context.Context //nolint:containedctx // lives as long as the call that made it
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, c.ctx.Err()
	}
	if c.n >= maxScan {
		return 0, errEnough
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // io.EOF must stay itself
}

var errEnough = fmt.Errorf("enough was read")

// finish writes what was found into the table.
func (s *scan) finish(t *sparkwright.Table) {
	t.Bytes, t.RowEstimate, t.Options = s.bytes, s.rows, s.options
	if !s.whole && s.read > 0 && s.read < s.bytes {
		t.RowEstimate = int64(float64(s.rows) * float64(s.bytes) / float64(s.read))
	}
	taken := map[string]bool{}
	for i, c := range s.columns {
		c.name = unique(c.name, i, taken)
		t.Columns = append(t.Columns, c.column(s.rows))
	}
}

// unique is a name that no other column has; Spark does not tell case apart.
func unique(name string, i int, taken map[string]bool) string {
	name = strings.TrimSpace(name)
	if name == "" {
		name = fmt.Sprintf("column_%d", i+1)
	}
	out := name
	for n := 2; taken[strings.ToLower(out)]; n++ {
		out = fmt.Sprintf("%s_%d", name, n)
	}
	taken[strings.ToLower(out)] = true
	return out
}

// columnNamed finds or adds a column of JSON.
func (s *scan) columnNamed(name string) *column {
	i := slices.IndexFunc(s.columns, func(c *column) bool { return c.name == name })
	if i < 0 {
		s.columns = append(s.columns, newColumn(name))
		i = len(s.columns) - 1
	}
	return s.columns[i]
}
