package result

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
)

// CSV writes a whole result as CSV (RFC 4180, lines end in \n, UTF-8): NULL is
// an empty field, empty text is "". With neutral, text that a spreadsheet
// would take for a formula gets an apostrophe before it; numbers never do.
func (r *Reader) CSV(ctx context.Context, m *sparkwright.Manifest, w io.Writer, neutral bool) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	for i, c := range m.Schema {
		line = appendField(separated(line, i), c.Name, neutral)
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		return gone(err)
	}
	err := r.scan(ctx, m, 0, func(rec arrow.RecordBatch) error {
		for i := range int(rec.NumRows()) {
			line = line[:0]
			for c := range int(rec.NumCols()) {
				line = separated(line, c)
				col := rec.Column(c)
				if col.IsNull(i) {
					continue
				}
				text, err := cellText(col, i)
				if err != nil {
					return err
				}
				_, isText := col.(*array.String)
				line = appendField(line, text, neutral && isText)
			}
			if _, err := out.Write(append(line, '\n')); err != nil {
				return gone(err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err = out.Flush(); err != nil {
		return gone(err)
	}
	return nil
}

func separated(line []byte, i int) []byte {
	if i > 0 {
		return append(line, ',')
	}
	return line
}

// appendField adds one field; neutral guards against formulas.
func appendField(line []byte, text string, neutral bool) []byte {
	if neutral && text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		text = "'" + text
	}
	if text != "" && !strings.ContainsAny(text, ",\"\r\n") && text[0] != ' ' {
		return append(line, text...)
	}
	line = append(line, '"')
	line = append(line, strings.ReplaceAll(text, `"`, `""`)...)
	return append(line, '"')
}

// plain is a cell as text without JSON's quotes.
func plain(cell json.RawMessage) string {
	var s string
	if len(cell) > 0 && cell[0] == '"' && json.Unmarshal(cell, &s) == nil {
		return s
	}
	return string(cell)
}

func gone(err error) error {
	return &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "the reader has left", Err: err}
}

// Arrow writes a whole result as an Arrow IPC stream.
func (r *Reader) Arrow(ctx context.Context, m *sparkwright.Manifest, w io.Writer) error {
	schema, err := r.schema(ctx, m)
	if err != nil {
		return err
	}
	out := ipc.NewWriter(w, ipc.WithSchema(schema))
	err = r.scan(ctx, m, 0, func(rec arrow.RecordBatch) error {
		if problem := out.Write(rec); problem != nil {
			return gone(problem)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err = out.Close(); err != nil {
		return gone(err)
	}
	return nil
}

// rowGroup is how many rows a group of a merged Parquet file has.
const rowGroup = 128 << 10

// Parquet writes a whole result as one Parquet file: the job's own file when
// there is one, checked against its checksum, else one that holds the rows of
// all of them.
func (r *Reader) Parquet(ctx context.Context, m *sparkwright.Manifest, w io.Writer) error {
	parts := filled(m)
	if len(parts) == 1 {
		return r.copyPart(ctx, m, parts[0], w)
	}
	schema, err := r.schema(ctx, m)
	if err != nil {
		return err
	}
	out, err := pqarrow.NewFileWriter(schema, unclosed{w}, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(rowGroup), parquet.WithCreatedBy("sparkwright"),
	), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return unreadable(parts[0], err)
	}
	err = r.scan(ctx, m, 0, func(rec arrow.RecordBatch) error {
		if problem := out.WriteBuffered(rec); problem != nil {
			return gone(problem)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err = out.Close(); err != nil {
		return gone(err)
	}
	return nil
}

// unclosed keeps the Parquet writer from closing what it writes to.
type unclosed struct{ io.Writer }

// filled are the parts with rows, or the first when none has.
func filled(m *sparkwright.Manifest) []sparkwright.Part {
	var parts []sparkwright.Part
	for _, p := range m.Parts {
		if p.Rows > 0 {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 && len(m.Parts) > 0 {
		return m.Parts[:1]
	}
	return parts
}

func (r *Reader) schema(ctx context.Context, m *sparkwright.Manifest) (*arrow.Schema, error) {
	parts := filled(m)
	if len(parts) == 0 {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "the result has no file, and no rows")
	}
	batches, _, done, err := r.open(ctx, m, parts[0], 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return batches.Schema(), nil
}

func (r *Reader) copyPart(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part, w io.Writer) error {
	f, err := r.cfg.Files.Open(ctx, m, part)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err = io.Copy(io.MultiWriter(w, h), f); err != nil {
		return gone(err)
	}
	if hex.EncodeToString(h.Sum(nil)) != part.SHA256 {
		return damaged(part, "it is not what the job wrote")
	}
	return nil
}

// Preview turns cells of a manifest's preview into a row of a page.
func Preview(cells []sparkwright.PreviewValue) json.RawMessage {
	row := []byte{'['}
	for i, c := range cells {
		row = append(separated(row, i), c...)
	}
	return append(row, ']')
}
