package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/files"
	"github.com/sparkwright/sparkwright/internal/source/objects"
)

// sampleBytes is how much of an S3 prefix is read to find its columns.
const sampleBytes = 64 << 20

// s3Table makes a table of the object or the prefix at an s3:// URL. Its
// columns are those of the first objects; a job fails on a value that does not
// fit them.
func s3Table(ctx context.Context, client *s3.Client, url string) (*sparkwright.Table, error) {
	list, key, err := objects.List(ctx, client, url)
	if err != nil {
		return nil, err
	}
	bucket, _, _ := awscloud.SplitS3(url)
	dir, err := os.MkdirTemp("", "sparkwright-s3-")
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "no place for a sample of %s: %w", url, err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort; the name is ours
	var total, read int64
	var sample string
	for i, o := range list {
		total += o.Bytes
		if read > 0 && read+o.Bytes > sampleBytes {
			continue
		}
		read += o.Bytes
		sample = filepath.Join(dir, fmt.Sprintf("%05d-%s", i, path.Base(o.Key)))
		if err = objects.Get(ctx, client, bucket, o, sample); err != nil {
			return nil, awscloud.Error(url+" cannot be read", err)
		}
	}
	if len(list) > 1 {
		sample = dir
	}
	t, err := files.Inspect(ctx, sample, files.Options{Name: plainName(key), Schema: "s3", Location: url})
	if err != nil {
		return nil, err
	}
	t.Bytes = total
	if read < total { // counted in a part of it
		t.RowEstimate = int64(float64(t.RowEstimate) * float64(total) / float64(read))
	}
	return &t, nil
}

func plainName(key string) string {
	name, _, _ := strings.Cut(path.Base(key), ".")
	return name
}

// copies are of the tables in S3 that runs on this machine read.
func copies(home string, s *settings.Settings) *objects.Copies {
	return &objects.Copies{
		Dir: filepath.Join(home, "copies"), Limit: int64(s.Spark.LocalS3MB) << 20,
		Client: func(ctx context.Context) (*s3.Client, error) {
			c, err := newCloud(ctx, s)
			if err != nil {
				return nil, err
			}
			return c.s3, nil
		},
	}
}
