package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
)

// The request that an instance carries out has always the same id.
const request = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

// instance is one running handler, with a Runtime API of its own.
type instance struct {
	child   *childproc.Child
	api     *http.Server
	timeout time.Duration
	memory  int64 // bytes
	events  chan event
	answers chan answer
}

type event struct {
	body     []byte
	deadline time.Time
}

// answer is the reply of an Invoke. wrong is Handled or Unhandled; "" = the
// handler came to its end.
type answer struct {
	body  []byte
	wrong string
}

// start starts an instance: the runtime interface client, in a sandbox whose
// end is the end of everything in it.
func (s *Server) start(ctx context.Context) (*instance, error) {
	i := &instance{timeout: s.cfg.Timeout, memory: int64(s.cfg.MemoryMB) << 20, events: make(chan event), answers: make(chan answer, 1)}
	const prefix = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"invocation/next", i.next)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { i.take(w, r, "") })
	mux.HandleFunc("POST "+prefix+"invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { i.take(w, r, "Unhandled") })
	mux.HandleFunc("POST "+prefix+"init/error", func(w http.ResponseWriter, r *http.Request) { i.take(w, r, "Unhandled") })
	api, at, err := listen(context.WithoutCancel(ctx), mux)
	if err != nil {
		return nil, err
	}
	i.api = api
	tmp, mount := filepath.Join(s.dir, "tmp"), ""
	if err = os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	if s.cfg.DiskMB > 0 {
		mount = fmt.Sprintf(`mount -t tmpfs -o size=%dm tmpfs "$TMPDIR" && `, s.cfg.DiskMB)
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", //nolint:gosec,noctx // G204: our own words; stopped as a group
		"sh", "-c", mount+`exec "$@"`, "sh", s.python, "-m", "awslambdaric", "handler.handler")
	cmd.Dir = s.cfg.Source
	cmd.Env = append(append(os.Environ(), s.cfg.Env...), "AWS_LAMBDA_RUNTIME_API="+at, "SPARK_HOME="+s.cfg.SparkHome, "TMPDIR="+tmp,
		"AWS_LAMBDA_FUNCTION_NAME="+Function, "AWS_LAMBDA_FUNCTION_VERSION=1", fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", s.cfg.MemoryMB),
		"SPARK_LOCAL_IP=127.0.0.1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = s.cfg.Log
	if i.child, err = childproc.Start(cmd, syscall.SIGKILL); err != nil {
		_ = api.Close()
		return nil, fmt.Errorf("start the function: %w", err)
	}
	return i, nil
}

// next hands the client its event.
func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	select {
	case e := <-i.events:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", request)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:"+Function)
		_, _ = w.Write(e.body)
	case <-r.Context().Done():
	}
}

// take is an answer of the client's.
func (i *instance) take(w http.ResponseWriter, r *http.Request, wrong string) {
	body, err := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
	if err != nil {
		return
	}
	select {
	case i.answers <- answer{body, wrong}:
	default: // nobody asked any more
	}
}

// watchEvery is how often memory is looked at.
const watchEvery = 100 * time.Millisecond

// carryOut has the instance carry an event out, also when its caller leaves.
// What goes on too long, or takes too much, is killed.
func (i *instance) carryOut(body []byte) answer {
	deadline := time.Now().Add(i.timeout)
	over := time.NewTimer(i.timeout)
	defer over.Stop()
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	events := i.events // nil when the client has it
	for {
		select {
		case events <- event{body, deadline}:
			events = nil
		case a := <-i.answers:
			if events != nil { // the handler could not be loaded
				i.end()
			}
			return a
		case <-over.C:
			i.end()
			return unhandled("Sandbox.Timedout", fmt.Sprintf("Task timed out after %.2f seconds", i.timeout.Seconds()))
		case <-watch.C:
			if used := resident(i.child.PID()); used > i.memory {
				i.end()
				return unhandled("Runtime.ExitError", "Runtime exited with error: signal: killed")
			}
		case <-i.child.Done():
			i.end()
			return unhandled("Runtime.ExitError", "Runtime exited without providing a reason")
		}
	}
}

func unhandled(kind, message string) answer {
	body, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": "RequestId: " + request + " Error: " + message})
	if err != nil {
		panic(err) // texts can be written
	}
	return answer{body, "Unhandled"}
}

func (i *instance) end() {
	i.child.Kill()
	_ = i.api.Close()
}

// resident is the memory of a process and of all that it has started, in bytes.
func resident(pid int) int64 {
	parents, sizes := map[int]int{}, map[int]int64{}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	for _, path := range paths {
		text, err := os.ReadFile(path) //nolint:gosec // G304: of /proc
		if err != nil {
			continue // it has ended
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 22 {
			continue
		}
		parents[id], _ = strconv.Atoi(fields[1])
		pages, _ := strconv.ParseInt(fields[21], 10, 64)
		sizes[id] = pages * int64(os.Getpagesize())
	}
	var sum int64
	for id := range sizes {
		for at := id; at > 1; at = parents[at] {
			if at == pid {
				sum += sizes[id]
				break
			}
		}
	}
	return sum
}
