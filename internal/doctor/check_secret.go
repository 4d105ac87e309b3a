package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/sparkwright/sparkwright"
)

func secretChecks(w *world) []Check {
	var list []Check
	for _, c := range w.connections() {
		if arn, found := strings.CutPrefix(c.Secret, "aws-sm:"); found {
			value := once(func(ctx context.Context) (map[string]any, error) { return w.secretValue(ctx, arn) })
			list = append(list, secretsReadable(c, arn, value), secretsForm(c, arn, value))
		}
	}
	return list
}

// secretValue reads a secret as JSON; nil when it is not JSON.
func (w *world) secretValue(ctx context.Context, arn string) (map[string]any, error) {
	out, err := w.AWS.Secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return nil, err
	}
	var value map[string]any
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &value) != nil {
		value = nil
	}
	return value, nil
}

func secretsReadable(c sparkwright.Connection, arn string, value func(context.Context) (map[string]any, error)) Check {
	return Check{
		Info: Info{ID: "secrets.readable", Group: "secrets", Title: "the secret can be read", How: "secretsmanager:GetSecretValue " + arn, About: c.Name},
		Run: func(ctx context.Context) Finding {
			_, err := value(ctx)
			switch {
			case err == nil:
				return ok(arn[strings.LastIndexByte(arn, ':')+1:])
			case apiCode(err) == "ResourceNotFoundException":
				return fail("the secret of "+c.Name+" does not exist", because(err),
					command("aws secretsmanager create-secret --name spark/postgres/"+c.Name+" --secret-string file://secret.json"), setting(`secret_arn of the connection in postgres.connections`))
			case denied(err):
				return fail("the secret of "+c.Name+" may not be read here", because(err), iamPolicy(document([]string{"secretsmanager:GetSecretValue"}, []string{arn})))
			}
			return fail("the secret of "+c.Name+" cannot be read", because(err), command("aws secretsmanager get-secret-value --secret-id "+arn+" --query VersionId"))
		},
	}
}

func secretsForm(c sparkwright.Connection, arn string, value func(context.Context) (map[string]any, error)) Check {
	return Check{
		Info: Info{ID: "secrets.form", Group: "secrets", Title: "the secret holds what a login needs", How: "looks for the keys username, password, host, port, database; values are not shown", About: c.Name, Needs: "secrets.readable"},
		Run: func(ctx context.Context) Finding {
			v, err := value(ctx)
			if err != nil {
				return skip("the secret cannot be read")
			}
			example := fmt.Sprintf(`{"username": "sparkwright_reader", "password": "…", "host": %q, "port": %d, "database": %q}`, c.Host, c.Port, c.Database)
			fix := command("aws secretsmanager put-secret-value --secret-id " + arn + " --secret-string '" + example + "'")
			var missing, extra []string
			for _, key := range []string{"username", "password"} {
				if s, isText := v[key].(string); (!isText || s == "") && (key != "password" || c.AuthMethod != sparkwright.AuthIAM) {
					missing = append(missing, key)
				}
			}
			for _, key := range []string{"host", "port", "database"} {
				if v[key] == nil && (key != "database" || v["dbname"] == nil) {
					extra = append(extra, key)
				}
			}
			switch {
			case v == nil:
				return fail("the secret of "+c.Name+" is not JSON", "jobs read username and password from it", fix)
			case len(missing) > 0:
				return fail("the secret of "+c.Name+" lacks "+strings.Join(missing, " and "), "a login needs both", fix)
			case len(extra) > 0:
				return warn("the secret of "+c.Name+" lacks "+strings.Join(extra, ", "), "the connection gives them; other tools look for them in the secret", fix)
			}
			return ok("username, password, host, port, database")
		},
	}
}
