package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

// userID is the user that all our sessions belong to.
const userID = "sparkwright"

// rpc speaks the three calls of the Spark Connect protocol that need no
// plans: is the server there, interrupt a session, release a session. The
// messages are small enough to be written by hand; field numbers are those of
// spark/connect/base.proto (Spark 3.5 to 4.3).
type rpc struct {
	conn  *grpc.ClientConn
	token string
}

// dial prepares a connection. As in PySpark, a token goes to another host only
// over TLS; localhost, where our own servers are, needs none.
func dial(host string, port int, token string, by func(context.Context) (net.Conn, error)) (*rpc, error) {
	transport := insecure.NewCredentials()
	if token != "" && host != "localhost" {
		transport = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(host, strconv.Itoa(port)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return by(ctx) }),
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		return nil, fmt.Errorf("dial spark connect: %w", err)
	}
	return &rpc{conn: conn, token: token}, nil
}

func (r *rpc) close() { _ = r.conn.Close() }

// healthy asks for Spark's version.
func (r *rpc) healthy(ctx context.Context, session string) error {
	msg := header(session)
	msg = protowire.AppendTag(msg, 10, protowire.BytesType) // spark_version {}
	msg = protowire.AppendBytes(msg, nil)
	return r.call(ctx, "AnalyzePlan", msg)
}

// interrupt stops every operation of the session.
func (r *rpc) interrupt(ctx context.Context, session string) error {
	msg := header(session)
	msg = protowire.AppendTag(msg, 4, protowire.VarintType) // interrupt_type ALL
	msg = protowire.AppendVarint(msg, 1)
	return r.call(ctx, "Interrupt", msg)
}

// release ends the session and frees what it holds.
func (r *rpc) release(ctx context.Context, session string) error {
	return r.call(ctx, "ReleaseSession", header(session))
}

func (r *rpc) call(ctx context.Context, method string, msg []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if r.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.token)
	}
	var reply []byte
	if err := r.conn.Invoke(ctx, "/spark.connect.SparkConnectService/"+method, &msg, &reply); err != nil {
		return fmt.Errorf("spark connect %s: %w", method, err)
	}
	return nil
}

// header holds session_id, user_context and client_type, which every request
// begins with.
func header(session string) []byte {
	msg := protowire.AppendTag(nil, 1, protowire.BytesType)
	msg = protowire.AppendString(msg, session)
	user := protowire.AppendTag(nil, 1, protowire.BytesType)
	user = protowire.AppendString(user, userID)
	msg = protowire.AppendTag(msg, 2, protowire.BytesType)
	msg = protowire.AppendBytes(msg, user)
	msg = protowire.AppendTag(msg, 3, protowire.BytesType)
	return protowire.AppendString(msg, "sparkwright")
}

// rawCodec passes messages through as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, errors.New("not raw bytes")
	}
	return *b, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errors.New("not raw bytes")
	}
	*b = append([]byte(nil), data...)
	return nil
}
