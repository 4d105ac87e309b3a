package diagnose

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
)

var kindNames = map[sparkwright.FaultKind]string{
	sparkwright.FaultCode: "the code", sparkwright.FaultInfrastructure: "set-up", sparkwright.FaultTransient: "passes by itself",
	sparkwright.FaultTimeout: "a time limit", sparkwright.FaultLost: "unknown outcome",
}

var groupNames = []struct{ id, name string }{
	{"driver", "The JDBC driver"},
	{"postgres", "PostgreSQL"},
	{"secrets", "Secrets"},
	{"vpc", "The VPC"},
	{"data", "Data and files"},
	{"code", "The analysis"},
	{"runtime", "Versions and modules"},
	{"spark", "Spark"},
	{"emr", "EMR Serverless"},
	{"s3", "S3"},
	{"kms", "Keys"},
	{"glue", "Glue"},
	{"aws", "AWS credentials"},
	{"lambda", "Lambda"},
}

// Document writes docs/troubleshooting.md.
func Document() string {
	var b strings.Builder
	b.WriteString("# Troubleshooting\n\nA failed run names its class, the lines that show it, the cause and what to do: `sparkwright runs show RUN`.\n" +
		"This page lists every class. It is generated from the table in `internal/diagnose` (`go test ./internal/diagnose -update`).\n" +
		"The last column names the check of `sparkwright doctor` that finds it before a run. Classes marked ° are written from\ndocumentation; the wording of all others was provoked on real Spark and PostgreSQL.\n")
	classes := Classes()
	b.WriteString("\n## The four that everybody meets first\n\n| message | cause | solution | check |\n|---|---|---|---|\n")
	for _, c := range classes {
		if c.Common != 0 {
			row(&b, &c, c.Title)
		}
	}
	for _, g := range groupNames {
		fmt.Fprintf(&b, "\n## %s\n\n| class | cause | what to do | check |\n|---|---|---|---|\n", g.name)
		for _, c := range classes {
			if group, _, _ := strings.Cut(c.ID, "."); group == g.id {
				row(&b, &c, "`"+c.ID+"`"+mark(c.Source)+" "+c.Title+" ("+kindNames[c.Kind]+")")
			}
		}
	}
	return b.String()
}

func mark(s Source) string {
	if s == Documented {
		return "°"
	}
	return ""
}

func row(b *strings.Builder, c *Class, first string) {
	check := ""
	if c.Check != "" {
		check = "`" + c.Check + "`"
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s |\n", first, c.Because, strings.ReplaceAll(c.Remedy, "|", "\\|"), check)
}
