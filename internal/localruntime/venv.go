package localruntime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"
)

// Venv makes a further private Python environment below the data directory and
// returns its directory and what the probe, a line of Python, prints in it.
// requirements are pip's, pinned by hash; other requirements are another
// directory, and one that exists whole is used as it is. An install that was
// broken off begins again: what pip has downloaded is in its cache.
func Venv(ctx context.Context, opt Options, name string, requirements []byte, probe string) (dir, probed string, err error) {
	sum := sha256.Sum256(requirements)
	home, err := filepath.Abs(opt.Home)
	if err != nil {
		return "", "", diskError("find the data directory", err)
	}
	root := runtimes(home)
	rt := &Runtime{Dir: filepath.Join(root, name+"-"+hex.EncodeToString(sum[:])[:12])}
	rt.Python = filepath.Join(rt.venv(), "bin", "python")
	if err = os.MkdirAll(root, 0o750); err != nil {
		return "", "", diskError("create the runtime directory", err)
	}
	if !rt.done("venv") {
		if err = rt.makeNamed(ctx, opt, root, name, requirements); err != nil {
			return "", "", err
		}
	}
	out, err := command(ctx, nil, rt.Python, "-I", "-W", "ignore", "-c", probe)
	if err != nil {
		if ctx.Err() != nil {
			return "", "", err
		}
		_ = os.Remove(rt.marker("venv")) // the next call installs it again
		return "", "", installError("start what was installed for "+name, out, err)
	}
	return rt.Dir, lastLine(out), nil
}

// makeNamed installs the environment under the lock that Install and Remove
// take too.
func (rt *Runtime) makeNamed(ctx context.Context, opt Options, root, name string, requirements []byte) error {
	unlock, err := lock(ctx, filepath.Join(root, "install.lock"), opt)
	if err != nil {
		return err
	}
	defer unlock()
	if rt.done("venv") {
		return nil // another process was faster
	}
	if err = os.MkdirAll(rt.Dir, 0o750); err != nil {
		return diskError("create the runtime directory", err)
	}
	if err = checkDisk(rt.Dir, needBytes); err != nil {
		return err
	}
	opt.say("private Python environment for %s", name)
	if err = rt.makeVenv(ctx, opt); err != nil {
		return err
	}
	reqs := filepath.Join(rt.Dir, "requirements.txt")
	if err = os.WriteFile(reqs, requirements, 0o644); err != nil { //nolint:gosec // G306: holds no secrets
		return diskError("write the requirements", err)
	}
	if err = rt.pipInstall(ctx, opt, reqs, "install the packages of "+name); err != nil {
		return err
	}
	if err = os.WriteFile(rt.marker("venv"), []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		return diskError("record a finished step", err)
	}
	return nil
}
