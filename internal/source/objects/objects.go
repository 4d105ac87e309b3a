// Package objects lists the data at an s3:// URL and has copies of it on this
// machine: jobs that run here are in a sandbox from which no S3 is reached, and
// have no S3 client. A copy is of one state of its objects: it has the name of
// their keys and ETags, so what has changed is copied anew and what has not is
// there already.
package objects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// maxObjects is how many objects one table may have.
const maxObjects = 20_000

// Object is one object that holds data.
type Object struct {
	Key   string
	ETag  string
	Bytes int64
}

// List returns the objects with data at an s3:// URL, which is an object or a
// prefix, and the key of the URL. As Spark does, it leaves out what has a name
// with _ or . in front. CodeNotFound when there is nothing.
func List(ctx context.Context, client *s3.Client, url string) (list []Object, key string, err error) {
	bucket, key, ok := awscloud.SplitS3(url)
	key = strings.TrimRight(key, "/")
	if !ok || key == "" {
		return nil, "", sparkwright.Errorf(sparkwright.CodeInvalid, "%q is not an object or a prefix in S3", url)
	}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &key})
	for pages.HasMorePages() {
		page, failed := pages.NextPage(ctx)
		if failed != nil {
			return nil, key, awscloud.Error(url+" cannot be read", failed)
		}
		for i := range page.Contents {
			o := Object{Key: aws.ToString(page.Contents[i].Key), ETag: aws.ToString(page.Contents[i].ETag), Bytes: aws.ToInt64(page.Contents[i].Size)}
			if o.Bytes > 0 && (o.Key == key || strings.HasPrefix(o.Key, key+"/") && !hidden(o.Key[len(key):])) {
				list = append(list, o)
			}
		}
		if len(list) > maxObjects {
			return nil, key, &sparkwright.Error{
				Code: sparkwright.CodeResource, Message: fmt.Sprintf("%s has more than %d objects", url, maxObjects), Remedy: "name a part of it, or put it into fewer files",
			}
		}
	}
	if len(list) == 0 {
		return nil, key, sparkwright.Errorf(sparkwright.CodeNotFound, "there is nothing at %s", url)
	}
	slices.SortFunc(list, func(a, b Object) int { return strings.Compare(a.Key, b.Key) }) // S3 does so, not everything that speaks its protocol
	return list, key, nil
}

// hidden reports whether Spark would not read a file of that path. Directories
// of partitions may begin with _: they have a = in their names.
func hidden(rest string) bool {
	for name := range strings.SplitSeq(rest, "/") {
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") && !strings.Contains(name, "=") {
			return true
		}
	}
	return false
}

// Get writes an object into a file. It fails when the object is not the one
// that was listed.
func Get(ctx context.Context, client *s3.Client, bucket string, o Object, dest string) error {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &o.Key}
	if o.ETag != "" {
		in.IfMatch = &o.ETag
	}
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return err //nolint:wrapcheck // the caller says which object
	}
	defer out.Body.Close()                                                //nolint:errcheck // read only
	f, err := os.OpenFile(dest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // G304: in a directory of the caller
	if err != nil {
		return fmt.Errorf("copy from S3: %w", err)
	}
	n, err := io.Copy(f, out.Body)
	if err == nil && n != o.Bytes {
		err = fmt.Errorf("%d bytes of %d: %w", n, o.Bytes, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, f.Close())
}

// Copies are the copies of tables in S3 that this machine has. Several
// processes may use one directory.
type Copies struct {
	Dir    string
	Limit  int64 // bytes of one table; 0 = nothing is copied
	Client func(ctx context.Context) (*s3.Client, error)
}

// Copy returns where on this machine a table of S3 is, of which it makes a copy
// when there is none of this state. CodeResource when it is above the limit.
func (c *Copies) Copy(ctx context.Context, url string) (string, error) {
	client, err := c.Client(ctx)
	if err != nil {
		return "", err
	}
	for try := 1; ; try++ {
		list, key, err := List(ctx, client, url)
		if err != nil {
			return "", err
		}
		if err = c.small(url, list); err != nil {
			return "", err
		}
		at, err := c.copy(ctx, client, url, key, list)
		var changed smithy.APIError
		if try < 3 && errors.As(err, &changed) && changed.ErrorCode() == "PreconditionFailed" {
			continue // an object has changed since it was listed
		}
		if local, ok := errors.AsType[*fs.PathError](err); ok {
			err = &sparkwright.Error{
				Code: sparkwright.CodeResource, Message: url + " cannot be copied to this machine", Because: local.Err.Error(),
				Remedy: "make room in " + c.Dir, Err: err,
			}
		}
		return at, awscloud.Error(url+" cannot be copied to this machine", err)
	}
}

func (c *Copies) small(url string, list []Object) error {
	var total int64
	for i := range list {
		total += list[i].Bytes
	}
	if total <= c.Limit {
		return nil
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: url + " is too large to be read on this machine",
		Because: fmt.Sprintf("it has %d MB and is copied here first; spark.local_s3_mb is %d", (total+1<<20-1)>>20, c.Limit>>20),
		Remedy:  "have it read on EMR Serverless (spark.emr_application_id), name a part of it, or raise spark.local_s3_mb",
	}
}

// copy makes the copy of one state. It appears as a whole.
func (c *Copies) copy(ctx context.Context, client *s3.Client, url, key string, list []Object) (string, error) {
	bucket, _, _ := awscloud.SplitS3(url)
	state := sha256.New()
	_, _ = fmt.Fprintf(state, "%q %q\n", bucket, key)
	for i := range list {
		_, _ = fmt.Fprintf(state, "%q %q %d\n", list[i].Key, list[i].ETag, list[i].Bytes)
	}
	root := filepath.Join(c.Dir, hex.EncodeToString(state.Sum(nil))[:32])
	at := filepath.Join(root, path.Base(key)) // the name that errors of Spark show
	if now := time.Now(); os.Chtimes(root, now, now) == nil {
		return at, nil // complete, and used now
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return "", fmt.Errorf("no place for a copy: %w", err)
	}
	fresh, err := os.MkdirTemp(c.Dir, partly)
	if err != nil {
		return "", fmt.Errorf("no place for a copy: %w", err)
	}
	defer os.RemoveAll(fresh) //nolint:errcheck // best effort; Sweep takes the rest
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, o := range list {
		dest := filepath.Join(fresh, path.Base(key), filepath.FromSlash(strings.TrimPrefix(o.Key, key)))
		if !strings.HasPrefix(dest, fresh+string(filepath.Separator)) { // a key with ..
			return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the object %q has a name that no file can have", o.Key)
		}
		if err = os.MkdirAll(filepath.Dir(dest), 0o700); err != nil {
			return "", fmt.Errorf("no place for a copy: %w", err)
		}
		group.Go(func() error { return Get(inner, client, bucket, o, dest) })
	}
	if err = group.Wait(); err != nil {
		return "", err
	}
	if err = os.Rename(fresh, root); err != nil {
		if _, there := os.Stat(root); there != nil { // else another process was faster
			return "", fmt.Errorf("keep a copy: %w", err)
		}
	}
	return at, nil
}

// partly begins the names of copies that are being made.
const partly = "partly-"

// Sweep removes copies that nobody has used for that long.
func (c *Copies) Sweep(age time.Duration) error {
	entries, err := os.ReadDir(c.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if info, gone := e.Info(); gone == nil && time.Since(info.ModTime()) > age {
			errs = append(errs, os.RemoveAll(filepath.Join(c.Dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
