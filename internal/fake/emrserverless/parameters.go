package emrserverless

import (
	"maps"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
)

// parameters splits sparkSubmitParameters as a shell would, and refuses what
// the service decides itself.
func parameters(text string) ([]string, error) {
	words, err := shellquote.Split(text)
	if err != nil {
		return nil, invalid("sparkSubmitParameters cannot be split into words: " + err.Error())
	}
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		if name == "--master" || name == "--deploy-mode" {
			return nil, invalid(name + " cannot be set on EMR Serverless")
		}
	}
	return words, nil
}

// confOf reads the --conf pairs of the words, the last of a key wins.
func confOf(words []string) map[string]string {
	conf := map[string]string{}
	for i, w := range words {
		pair, found := strings.CutPrefix(w, "--conf=")
		if !found && (w == "--conf" || w == "-c") && i+1 < len(words) {
			pair, found = words[i+1], true
		}
		if key, value, ok := strings.Cut(pair, "="); found && ok {
			conf[key] = value
		}
	}
	return conf
}

// driverEnv are the variables that a job sets for its driver by
// spark.emr-serverless.driverEnv.NAME.
func driverEnv(conf map[string]string) []string {
	var env []string
	for _, key := range slices.Sorted(maps.Keys(conf)) {
		if name, ok := strings.CutPrefix(key, "spark.emr-serverless.driverEnv."); ok && name != "" {
			env = append(env, name+"="+conf[key])
		}
	}
	return env
}

// defaultsOf collects the properties of the spark-defaults classification.
func defaultsOf(o *overrides) map[string]string {
	all := map[string]string{}
	if o == nil {
		return all
	}
	for _, c := range o.Application {
		if c.Classification == "spark-defaults" {
			maps.Copy(all, c.Properties)
		}
	}
	return all
}
