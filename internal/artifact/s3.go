package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// S3 keeps results in S3. It is safe for concurrent use. Errors that will pass
// by themselves are those that awscloud.Passing knows.
type S3 struct{ client *s3.Client }

// NewS3 returns the results that this client reaches.
func NewS3(client *s3.Client) *S3 { return &S3{client: client} }

// IsS3 reports whether a location is in S3.
func IsS3(location string) bool { return strings.HasPrefix(location, "s3://") }

// Load reads the manifest of an attempt and verifies it against the objects:
// each part is there with the size and the ETag that the job saw when it
// computed the checksum, and there is no other. A part without an ETag is read
// whole and its checksum computed. Any difference is an error.
func (s *S3) Load(ctx context.Context, location, runID, attemptID string) (*sparkwright.Manifest, error) {
	bucket, key, ok := awscloud.SplitS3(location)
	if !ok || key == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%q is not a location in S3", location)
	}
	text, err := s.read(ctx, bucket, key+"/manifest.json", maxManifest)
	if err != nil {
		if awscloud.Classify(err) == awscloud.NotFound {
			return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "the job left no manifest")
		}
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var m sparkwright.Manifest
	if err = json.Unmarshal(text, &m); err != nil {
		return nil, mismatch("the manifest is broken: %v", err)
	}
	if err = consistent(&m, runID, attemptID); err != nil {
		return nil, err
	}
	if m.Location != "s3://"+bucket+"/"+key {
		return nil, mismatch("the manifest is of another place, %s", m.Location)
	}
	if err = s.compare(ctx, bucket, key, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// compare lists what is there against what the manifest says.
func (s *S3) compare(ctx context.Context, bucket, key string, m *sparkwright.Manifest) error {
	want := map[string]sparkwright.Part{}
	for _, p := range m.Parts {
		if p.SHA256 == "" {
			return mismatch("the manifest has no checksum for the part %s", p.Path)
		}
		want[key+"/"+p.Path] = p
	}
	if len(want) != len(m.Parts) {
		return mismatch("the manifest names a part twice")
	}
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String(key + "/data/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the result: %w", err)
		}
		for i := range page.Contents {
			o := &page.Contents[i]
			name := aws.ToString(o.Key)
			p, ok := want[name]
			switch {
			case !ok && strings.HasSuffix(name, ".parquet"):
				return mismatch("the result has a part that the manifest does not name, %s", path.Base(name))
			case !ok: // _SUCCESS
			case aws.ToInt64(o.Size) != p.Bytes || p.ETag != "" && strings.Trim(aws.ToString(o.ETag), `"`) != p.ETag:
				return mismatch("the part %s is not what the job wrote", p.Path)
			case p.ETag == "":
				if err = s.sum(ctx, bucket, name, p); err != nil {
					return err
				}
				delete(want, name)
			default:
				delete(want, name)
			}
		}
	}
	for _, p := range want {
		return mismatch("the part %s is missing", p.Path)
	}
	return nil
}

// sum compares the content of a part with its checksum.
func (s *S3) sum(ctx context.Context, bucket, key string, p sparkwright.Part) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	defer out.Body.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err = io.Copy(h, out.Body); err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	if hex.EncodeToString(h.Sum(nil)) != p.SHA256 {
		return mismatch("the part %s is not what the job wrote", p.Path)
	}
	return nil
}

// LoadFault reads the fault that a job has left, as the function LoadFault
// does; nil when there is none.
func (s *S3) LoadFault(ctx context.Context, location string) (*sparkwright.Fault, error) {
	bucket, key, _ := awscloud.SplitS3(location)
	text, err := s.read(ctx, bucket, key+"/fault.json", maxFault)
	if awscloud.Classify(err) == awscloud.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the fault: %w", err)
	}
	return told(text), nil // half a fault tells nothing: the job's outcome counts
}

func (s *S3) read(ctx context.Context, bucket, key string, limit int64) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = mismatch("%s is larger than %d MB", path.Base(key), limit>>20)
	}
	return text, err
}

// Open returns a part of a result as a file that is gone when it is closed:
// what is in memory does not grow with the part. The content is checked
// against the manifest.
func (s *S3) Open(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part) (_ *os.File, err error) {
	bucket, key, ok := awscloud.SplitS3(m.Location)
	if !ok || !strings.HasPrefix(part.Path, "data/") || strings.Contains(part.Path, "..") {
		return nil, mismatch("the part %q lies outside the result", part.Path)
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(key + "/" + part.Path)})
	if err != nil {
		return nil, awscloud.Error("the part "+part.Path+" of the result cannot be read", err)
	}
	defer out.Body.Close() //nolint:errcheck // read only
	f, err := scratch()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), out.Body)
	if err != nil {
		return nil, awscloud.Error("the part "+part.Path+" of the result cannot be read", err)
	}
	if n != part.Bytes || hex.EncodeToString(h.Sum(nil)) != part.SHA256 {
		return nil, mismatch("the part %s is not what the job wrote", part.Path)
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// Remove deletes every object below a location, a page at a time: what an
// interrupted call has left is removed by the next. The location must have a
// prefix of its own.
func (s *S3) Remove(ctx context.Context, location string) error {
	bucket, key, ok := awscloud.SplitS3(location)
	key = strings.Trim(key, "/") + "/"
	if !ok || key == "/" {
		return sparkwright.Errorf(sparkwright.CodeInternal, "%q is not below a bucket's root", location)
	}
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awscloud.Error("what is below "+location+" cannot be listed", err)
		}
		if len(page.Contents) == 0 {
			continue
		}
		objects := make([]types.ObjectIdentifier, 0, len(page.Contents))
		for i := range page.Contents {
			objects = append(objects, types.ObjectIdentifier{Key: page.Contents[i].Key})
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}})
		if err != nil {
			return awscloud.Error("what is below "+location+" cannot be removed", err)
		}
		for i := range out.Errors {
			e := &out.Errors[i]
			return &sparkwright.Error{
				Code: sparkwright.CodeUnauthorized, Message: fmt.Sprintf("s3://%s/%s cannot be removed", bucket, aws.ToString(e.Key)),
				Because: strings.TrimSpace(aws.ToString(e.Code) + " " + aws.ToString(e.Message)),
				Remedy:  "allow s3:DeleteObject there to the server, or let a lifecycle rule of the bucket remove it",
			}
		}
	}
	return nil
}

// scratch is a file without a name.
func scratch() (*os.File, error) {
	f, err := os.CreateTemp("", "sparkwright-part-*")
	if err != nil {
		return nil, full(os.TempDir(), err)
	}
	_ = os.Remove(f.Name())
	return f, nil
}

// Link is a URL that is good for a while without credentials.
type Link struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

const maxPut = 5 << 30 // bytes; what S3 takes in one request

// Export stores what write writes beside the result, once, and returns a link
// to download it as name. The link is good for that long.
func (s *S3) Export(ctx context.Context, m *sparkwright.Manifest, name string, good time.Duration, write func(io.Writer) error) (Link, error) {
	const what = "the download of the result cannot be made"
	bucket, key, ok := awscloud.SplitS3(m.Location)
	if !ok || strings.ContainsAny(name, "/\"\\\r\n") {
		return Link{}, sparkwright.Errorf(sparkwright.CodeInvalid, "%s: %q is not a name for it", what, name)
	}
	key += "/export/" + name
	_, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if awscloud.Classify(err) == awscloud.NotFound {
		err = s.put(ctx, bucket, key, write)
	}
	if err != nil {
		return Link{}, awscloud.Error(what, err)
	}
	expires := time.Now().UTC().Add(good).Truncate(time.Second)
	req, err := s3.NewPresignClient(s.client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &bucket, Key: &key, ResponseContentDisposition: aws.String(`attachment; filename="` + name + `"`),
	}, s3.WithPresignExpires(good))
	if err != nil {
		return Link{}, awscloud.Error(what, err)
	}
	return Link{URL: req.URL, Expires: expires}, nil
}

func (s *S3) put(ctx context.Context, bucket, key string, write func(io.Writer) error) error {
	f, err := scratch()
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it has no name
	if err = write(f); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return full(os.TempDir(), err)
	}
	if size > maxPut {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "the result is too large for one file in S3", Because: fmt.Sprintf("it has %d GB", size>>30),
			Remedy: "read its Parquet files, or ask for less",
		}
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return full(os.TempDir(), err)
	}
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: f, ContentLength: &size, ContentType: aws.String("text/csv; charset=utf-8"),
	})
	return err
}
