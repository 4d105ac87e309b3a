package main

import (
	"context"
	"errors"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// sandboxFlag is --sandbox. Only a command line can say off: no setting, no
// environment variable and no request does.
type sandboxFlag struct{ off bool }

// String implements pflag.Value.
func (f *sandboxFlag) String() string {
	if f.off {
		return "off"
	}
	return "on"
}

// Set implements pflag.Value.
func (f *sandboxFlag) Set(text string) error {
	switch text {
	case "on", "off":
		f.off = text == "off"
		return nil
	default:
		return errors.New("say on or off")
	}
}

// Type implements pflag.Value.
func (f *sandboxFlag) Type() string { return "on|off" }

// state is what receipts say.
func (f *sandboxFlag) state() sparkwright.SandboxState {
	if f.off {
		return sparkwright.SandboxOff
	}
	return sparkwright.SandboxOn
}

// sockets is the directory in which sandboxes find the broker; "" when Spark
// runs outside of one, and finds it at a loopback port.
func (a *app) sockets(ctx context.Context, s *settings.Settings) (string, error) {
	if a.sandbox.off {
		a.say("warning", "--sandbox=off: generated code can read and reach all that you can")
		return "", nil
	}
	if s.Spark.Remote != "" || !isLocal(s.Spark.Master) {
		return "", nil
	}
	dir, err := sandbox.SocketDir(ctx, a.home)
	if err != nil {
		return "", &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "no place for the sockets of the broker", Because: err.Error(),
			Remedy: "give SPARKWRIGHT_HOME a directory that is yours alone", Err: err,
		}
	}
	return dir, nil
}
