package main

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/source/files"
)

// sampleBytes is how much of an S3 prefix is read to find its columns.
const sampleBytes = 64 << 20

// s3Table makes a table of the object or the prefix at an s3:// URL. Its
// columns are those of the first objects; a job fails on a value that does not
// fit them.
func s3Table(ctx context.Context, client *s3.Client, url string) (*sparkwright.Table, error) {
	bucket, key, ok := awscloud.SplitS3(url)
	if !ok || key == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%q is not an object or a prefix in S3", url)
	}
	what := url + " cannot be read"
	dir, err := os.MkdirTemp("", "sparkwright-s3-")
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "no place for a sample of %s: %w", url, err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort; the name is ours
	var total, read int64
	var sample string
	count := 0
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &key})
	for pages.HasMorePages() && count < 20_000 {
		page, failed := pages.NextPage(ctx)
		if failed != nil {
			return nil, awscloud.Error(what, failed)
		}
		for i := range page.Contents {
			o := &page.Contents[i]
			name, size := aws.ToString(o.Key), aws.ToInt64(o.Size)
			base := path.Base(name)
			if size == 0 || base[0] == '_' || base[0] == '.' || name != key && !strings.HasPrefix(name, key+"/") {
				continue
			}
			total += size
			count++
			if read > 0 && read+size > sampleBytes {
				continue
			}
			read += size
			sample = filepath.Join(dir, base)
			if err = download(ctx, client, bucket, name, sample); err != nil {
				return nil, awscloud.Error(what, err)
			}
		}
	}
	if count == 0 {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is nothing at %s", url)
	}
	if count > 1 {
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

func download(ctx context.Context, client *s3.Client, bucket, key, dest string) error {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()    //nolint:errcheck // read only
	f, err := os.Create(dest) //nolint:gosec // G304: in a directory of ours
	if err != nil {
		return err
	}
	_, err = io.Copy(f, out.Body)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
