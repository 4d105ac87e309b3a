package redteam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// list is what has to be tried, and where it is: a file below the repository's
// root, and words that the attack has there. It is what security.md speaks of.
var list = []struct{ attack, file, words string }{ //nolint:gochecknoglobals // a table
	{"environment", attacksPy, "secrets_in_the_environment credentials_in_the_environment environment_of_the_machine environment_of_the_first_process"},
	{"environment, by Spark", sparkPy, "environment_of_java environment_by_java_method environments_by_a_program read_environments"},
	{"/proc", attacksPy, "out_by_the_root_of_a_process out_by_the_root_of_the_first_process memory_of_the_first_process files_of_the_first_process"},
	{"py4j", sparkPy, "gateway_to_java"},
	{"metadata addresses", attacksPy, "metadata metadata_v6 metadata_of_containers metadata_of_pods"},
	{"metadata addresses, by Spark", sparkPy, "metadata_by_a_program"},
	{"DNS", attacksPy, "dns"},
	{"MPTCP", attacksPy, "multipath_tcp"},
	{"TCP fast open", attacksPy, "fast_open fast_open_by_message fast_open_by_option"},
	{"UDP", attacksPy, "udp udp_v6"},
	{"raw sockets", attacksPy, "raw_socket packet_socket ping_socket"},
	{"abstract sockets", attacksPy, "abstract_socket socket_of_the_machine docker"},
	{"file reads", attacksPy, "a_secret_file a_file_of_tmp the_home shadow passwords_of_postgres credentials_of_aws keys_of_ssh results_of_another_run"},
	{"file reads, by Spark", sparkPy, "read_a_secret_as_text read_a_secret_by_sql read_a_secret_as_binary read_another_run"},
	{"file writes", attacksPy, "write_the_runtime write_python write_usr write_the_root falsify_results_of_another_run"},
	{"file writes, by Spark", sparkPy, "write_another_run write_the_runtime write_usr a_log_of_the_driver"},
	{"fork bomb", attacksPy, "fork_bomb thread_bomb"},
	{"fork bomb, where programs may be started", "internal/sandbox/bomb_linux_test.go", "TestForkBomb"},
	{"other bombs", attacksPy, "memory_bomb file_bomb fill_tmp"},
	{"symbolic links", attacksPy, "link_in_the_results hard_link_in_the_results pipe_in_the_results device_in_the_results"},
	{"symbolic links, afterwards", "internal/redteam/results_test.go", "a link to another"},
	{"symbolic links, by Spark", sparkPy, "link_by_a_program"},
	{"JDBC URL options", sparkPy, "options_of_the_url a_factory_of_sockets a_log_of_the_driver"},
	{"start-up options", wireGo, "default_transaction_read_only=off | session_authorization | replication"},
	{"COMMIT;", wireGo, "SELECT 1; COMMIT; INSERT"},
	{"COMMIT;, by Spark", sparkPy, "several_statements a_statement_before"},
	{"functions in FROM", wireGo, "FROM evil() | FROM pg_ls_dir"},
	{"dblink", wireGo, "FROM dblink( | dblink_exec"},
	{"COPY PROGRAM", wireGo, "COPY orders TO PROGRAM"},
	{"large objects", wireGo, "lo_create | lo_import | lo_export | lo_from_bytea"},
	{"writes", wireGo, "INSERT INTO orders | MERGE INTO | TRUNCATE | DO $$"},
	{"other tables", wireGo, "TABLE secrets | pg_authid | pg_stats"},
	{"ADD JAR", sparkPy, "jar_of_the_network jar_of_ivy function_of_a_jar file_of_the_machine archive_of_the_machine"},
	{"packages", sparkPy, "packages"},
	{"pickles in results", "internal/redteam/results_test.go", "TestResults"},
	{"pickles in results, by Spark", sparkPy, "pickle_in_the_metadata_of_a_file pickle_as_the_schema_of_a_file"},
	{"results of others by the manifest", "internal/redteam/results_test.go", "the place of another"},
	{"advice that a job forges", "internal/artifact/artifact_test.go", "curl evil.example"},
	{"functions in Python", sparkPy, "function_in_python map_in_python table_function_in_python"},
	{"log injection", commands + "injection_test.go", "TestNothingIsForged"},
	{"control of the terminal", commands + "clean_test.go", "TestNothingSteersTheTerminal"},
	{"formulas in CSV", commands + "clean_test.go", "TestHarmless"},
	{"prompt injection by names, comments and values", "internal/codegen/codegen_test.go", "TestPrompts"},
	{"rebinding of the server", "internal/server/guard_test.go", "a name bound anew"},
	{"rebinding of hosts that users name", "internal/netguard/netguard_test.go", "TestRebinding"},
	{"CSRF", "internal/server/guard_test.go", "takes a cookie alone | takes a form | another site by Origin"},
	{"IDOR on every route", commands + "access_test.go", "TestEveryRouteOfTwoUsers"},
	{"SSRF", commands + "ssrf_test.go", "TestServerDialsOnlyWhatItMay"},
	{"secrets, wherever they could be", commands + "canary_test.go", "TestSecretsAreNowhere"},
}

const (
	attacksPy = "internal/redteam/testdata/attacks.py"
	sparkPy   = "internal/redteam/testdata/spark.py"
	wireGo    = "internal/redteam/wire_test.go"
	commands  = "cmd/sparkwright/"
)

// Each attack of the list is tried by a test that exists under these words.
func TestList(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	texts := map[string]string{}
	for _, l := range list {
		text, ok := texts[l.file]
		if !ok {
			content, err := os.ReadFile(filepath.Join(root, l.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(content)
			texts[l.file] = text
		}
		words := strings.Split(l.words, " | ")
		if strings.HasSuffix(l.file, ".py") {
			words = strings.Fields(l.words)
		}
		for _, word := range words {
			if strings.HasSuffix(l.file, ".py") {
				word = "\ndef " + word + "():"
			}
			if !strings.Contains(text, word) {
				t.Errorf("%s: %s has no %q", l.attack, l.file, word)
			}
		}
	}
}
