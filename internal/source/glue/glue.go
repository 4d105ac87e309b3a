// Package glue reads the AWS Glue Data Catalog: databases, tables with
// columns, partitions, formats and sizes. It reads metadata only; jobs read
// the data, through Spark's metastore on EMR Serverless or by location.
package glue

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Connection is the name under which Glue tables are asked about:
// glue.DATABASE.TABLE.
const Connection = "glue"

// Source reads the catalog of one account and region. It is safe for
// concurrent use. Errors are *sparkwright.Error.
type Source struct {
	glue *glue.Client
	s3   *s3.Client
}

// New returns a Source.
func New(cfg aws.Config) *Source {
	return &Source{glue: glue.NewFromConfig(cfg), s3: awscloud.NewS3(cfg)}
}

// Databases lists the databases, sorted.
func (s *Source) Databases(ctx context.Context) ([]string, error) {
	var names []string
	pages := glue.NewGetDatabasesPaginator(s.glue, &glue.GetDatabasesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awscloud.Error("the databases of the Glue catalog cannot be listed", err)
		}
		for i := range page.DatabaseList {
			names = append(names, aws.ToString(page.DatabaseList[i].Name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Tables lists the tables of a database, sorted by name. Bytes is what the
// catalog's own statistics say; -1 when they say nothing.
func (s *Source) Tables(ctx context.Context, database string) ([]sparkwright.Table, error) {
	var tables []sparkwright.Table
	pages := glue.NewGetTablesPaginator(s.glue, &glue.GetTablesInput{DatabaseName: &database})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awscloud.Error("the tables of the Glue database "+database+" cannot be listed", err)
		}
		for i := range page.TableList {
			tables = append(tables, table(&page.TableList[i]))
		}
	}
	slices.SortFunc(tables, func(a, b sparkwright.Table) int { return cmp.Compare(a.Name, b.Name) })
	return tables, nil
}

// Table returns one table. Where the catalog has no statistics Bytes is the
// size of the objects at its location. CodeNotFound.
func (s *Source) Table(ctx context.Context, database, name string) (*sparkwright.Table, error) {
	out, err := s.glue.GetTable(ctx, &glue.GetTableInput{DatabaseName: &database, Name: &name})
	if err != nil {
		return nil, awscloud.Error("the Glue table "+database+"."+name+" cannot be read", err)
	}
	t := table(out.Table)
	if t.Bytes < 0 && t.Kind == sparkwright.KindTable {
		t.Bytes = s.Size(ctx, t.Location)
	}
	return &t, nil
}

// Partition is one partition of a table: the values of its keys, in order.
type Partition struct {
	Values   []string
	Location string
}

// Partitions lists the partitions of a table, at most limit.
func (s *Source) Partitions(ctx context.Context, database, name string, limit int) ([]Partition, error) {
	var list []Partition
	pages := glue.NewGetPartitionsPaginator(s.glue, &glue.GetPartitionsInput{
		DatabaseName: &database, TableName: &name, ExcludeColumnSchema: aws.Bool(true),
	})
	for pages.HasMorePages() && len(list) < limit {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awscloud.Error("the partitions of the Glue table "+database+"."+name+" cannot be listed", err)
		}
		for i := range page.Partitions {
			p := Partition{Values: page.Partitions[i].Values}
			if d := page.Partitions[i].StorageDescriptor; d != nil {
				p.Location = aws.ToString(d.Location)
			}
			list = append(list, p)
		}
	}
	return list[:min(len(list), limit)], nil
}

// maxListed is how many pages of 1,000 objects Size looks at.
const maxListed = 20

// Size is how many bytes lie below an s3:// URL; -1 when that cannot be told.
// Of more than 20,000 objects it is what the first of them have: it is for
// deciding whether something is small.
func (s *Source) Size(ctx context.Context, url string) int64 {
	bucket, key, ok := awscloud.SplitS3(url)
	if !ok {
		return -1
	}
	var size int64
	pages := s3.NewListObjectsV2Paginator(s.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &key})
	for n := 0; pages.HasMorePages() && n < maxListed; n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return -1
		}
		for i := range page.Contents {
			name := aws.ToString(page.Contents[i].Key)
			if key == "" || name == key || len(name) > len(key) && name[len(key)] == '/' { // x, not xyz
				size += aws.ToInt64(page.Contents[i].Size)
			}
		}
	}
	return size
}

// table is a Glue table in our words.
func table(g *types.Table) sparkwright.Table {
	t := sparkwright.Table{
		Source: sparkwright.SourceGlue, Connection: Connection, Database: aws.ToString(g.DatabaseName), Schema: aws.ToString(g.DatabaseName),
		Name: aws.ToString(g.Name), Kind: sparkwright.KindTable, Comment: aws.ToString(g.Description), Readable: true,
		RowEstimate: number(g.Parameters, "numRows", "recordCount"), Bytes: number(g.Parameters, "totalSize", "sizeKey", "rawDataSize"),
	}
	if aws.ToString(g.TableType) == "VIRTUAL_VIEW" {
		t.Kind = sparkwright.KindView
	}
	if len(g.PartitionKeys) > 0 {
		t.Kind = sparkwright.KindPartitioned
	}
	if d := g.StorageDescriptor; d != nil {
		t.Location = aws.ToString(d.Location)
		t.Format, t.Options = format(g.Parameters, d)
		for i := range d.Columns {
			t.Columns = append(t.Columns, column(&d.Columns[i]))
		}
	}
	for i := range g.PartitionKeys {
		c := column(&g.PartitionKeys[i])
		c.Comment = cmp.Or(c.Comment, "partition key")
		t.Columns = append(t.Columns, c)
	}
	return t
}
