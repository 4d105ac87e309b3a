package server

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
)

// selected is what a request says of its tables.
type selected struct {
	input    string              // s3_input_path
	glue     []map[string]string // database, table
	postgres []map[string]any
}

// request names the tables of a question. PostgreSQL tables come from the
// request, else from the session. Glue tables and uploads come from the
// session only when the request names nothing at all.
func (s *server) request(ctx context.Context, sess *sparkwright.Session, sel selected) (sparkwright.Request, error) {
	req := sparkwright.Request{User: sess.User, Session: sess.ID}
	all := &sess.Selection
	nothing := sel.input == "" && len(sel.glue) == 0 && len(sel.postgres) == 0
	for i, t := range sel.postgres {
		if err := s.addPostgres(ctx, &req, t, i); err != nil {
			return req, err
		}
	}
	if len(sel.postgres) == 0 {
		for i := range all.Postgres {
			t := &all.Postgres[i]
			at, err := s.in(ctx, t.ConnectionName, t.Database)
			if err != nil {
				return req, err
			}
			req.Tables = append(req.Tables, at+"."+t.Schema+"."+t.Table)
		}
	}
	for _, t := range sel.glue {
		req.Tables = append(req.Tables, glueName(t["database"], t["table"]))
	}
	if nothing {
		for _, t := range all.Glue {
			req.Tables = append(req.Tables, glueName(t.Database, t.Table))
		}
		for i := range all.Uploads {
			req.Tables = append(req.Tables, all.Uploads[i].Table)
		}
	}
	if len(sel.glue) > 0 && s.cfg.Glue == nil {
		return req, noGlue()
	}
	if sel.input != "" {
		table, err := inputTable(all, sel.input)
		if err != nil {
			return req, err
		}
		req.Tables = append(req.Tables, table)
	}
	if len(req.Tables) == 0 && len(req.Given) == 0 {
		return req, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "no table is selected",
			Remedy: "send selected_postgres_tables with connection_name, database, schema and table, or select tables in the session first",
		}
	}
	return req, nil
}

// glueName is how Request.Tables names a Glue table.
func glueName(database, table string) string { return "glue." + database + "." + table }

// inputTable is the table of s3_input_path: an upload of the session by its
// path or its name, or any S3 path.
func inputTable(all *sparkwright.Selection, input string) (string, error) {
	for i := range all.Uploads {
		if u := &all.Uploads[i]; input == u.Path || input == uri(u.Path) || input == u.Name {
			return u.Table, nil
		}
	}
	if strings.HasPrefix(input, "s3://") {
		return input, nil
	}
	return "", &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "s3_input_path is not known", Because: input + " is no upload of this session and no s3:// path",
		Remedy: "upload the file with POST /spark/upload-csv and send the s3_path that it answers",
	}
}

// addPostgres adds a table dict of the reference. One that names no saved
// connection must describe its database whole.
func (s *server) addPostgres(ctx context.Context, req *sparkwright.Request, t map[string]any, i int) error {
	get := func(key string) string { v, _ := t[key].(string); return v }
	for _, key := range []string{"connection_name", "schema", "table"} {
		if get(key) == "" {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "selected_postgres_tables[%d] has no %s", i, key)
		}
	}
	at, err := s.in(ctx, get("connection_name"), get("database"))
	if err == nil {
		req.Tables = append(req.Tables, at+"."+get("schema")+"."+get("table"))
		return nil
	}
	arn := get("secret_arn")
	if sparkwright.ErrorCode(err) != sparkwright.CodeNotFound || get("jdbc_url") == "" || arn == "" || strings.HasPrefix(arn, localSecret) {
		return err
	}
	if !access.MayChange(ctx, "") { // the job would log in with a secret of this server at a host of the client's
		return access.Denied(access.Admin)
	}
	given := sparkwright.GivenTable{
		Connection: get("connection_name"), JDBCURL: get("jdbc_url"), SecretARN: arn,
		AuthMethod: sparkwright.AuthMethod(get("auth_method")), Database: get("database"), Schema: get("schema"), Table: get("table"),
	}
	if given.AuthMethod == "" {
		given.AuthMethod = sparkwright.AuthSecretsManager
	}
	given.Columns, err = givenColumns(t["columns"], i)
	req.Given = append(req.Given, given)
	return err
}

// givenColumns reads the columns of a dict: objects with name and type; a
// column whose nullable is not said may be null.
func givenColumns(value any, i int) ([]sparkwright.Column, error) {
	if value == nil {
		return nil, nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var read []struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Nullable *bool  `json:"nullable"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the columns of selected_postgres_tables[%d] are not a list of objects with name and type", i)
	}
	columns := make([]sparkwright.Column, 0, len(read))
	for _, c := range read {
		if c.Name == "" || c.Type == "" {
			return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "a column of selected_postgres_tables[%d] has no name or no type", i)
		}
		columns = append(columns, sparkwright.Column{Name: c.Name, Type: c.Type, Nullable: c.Nullable == nil || *c.Nullable})
	}
	return columns, nil
}
