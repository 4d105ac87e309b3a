package diagnose

import "github.com/sparkwright/sparkwright"

// connectionClasses are failures between the job and PostgreSQL.
func connectionClasses() []Class {
	infra, transient := sparkwright.FaultInfrastructure, sparkwright.FaultTransient
	return []Class{
		{
			ID: "driver.missing", Title: "ClassNotFoundException: org.postgresql.Driver", Kind: infra, Common: 1, Source: Provoked,
			Pattern: `ClassNotFoundException: org\.postgresql\.Driver|failed to load class org\.postgresql\.Driver`,
			Because: "the PostgreSQL JDBC driver was not passed to the job",
			Remedy:  "set postgres.jdbc_driver_path to the driver in S3 (sparkwright doctor --fix uploads it); locally: sparkwright runtime install",
			Check:   "storage.driver",
		},
		{
			ID: "driver.not_named", Title: "No suitable driver", Kind: infra, Source: Provoked,
			Pattern: `java\.sql\.SQLException: No suitable driver`,
			Because: "the job has no JDBC driver for this URL, or did not name org.postgresql.Driver",
			Remedy:  "let Sparkwright write the reads: it always names the driver; with code of your own set the option driver, and postgres.jdbc_driver_path",
			Check:   "storage.driver",
		},
		{
			ID: "postgres.host_unknown", Title: "the host name of PostgreSQL is unknown", Kind: infra, Source: Provoked,
			Pattern: `UnknownHostException|could not translate host name`,
			Because: "the host name of the connection cannot be resolved where the job runs",
			Remedy:  "correct the host; in a VPC switch on DNS support and DNS host names, and run the job in the application with that VPC",
			Check:   "network.dns",
		},
		{
			ID: "postgres.timeout", Title: "PostgreSQL does not answer", Kind: infra, Source: Provoked, Rank: 1,
			Pattern: `SocketTimeoutException|SQLTimeoutException|Connection attempt timed out|error occurred while setting up the SSL connection`,
			Because: "packets to PostgreSQL are dropped: a security group, a network ACL or a missing route",
			Remedy:  "let the job's security group in on the database's port (5432), and give the application the VPC of the database",
			Check:   "network.postgres",
		},
		{
			ID: "postgres.refused", Title: "PostgreSQL refuses the connection", Kind: infra, Source: Provoked,
			Pattern: `Connection to \S+ refused\. Check that the hostname and port|PSQLException.*Connection refused`,
			Because: "nothing listens at this host and port",
			Remedy:  "start the database, or correct host and port: sparkwright connections test NAME",
			Check:   "postgres.reach",
		},
		{
			ID: "postgres.password", Title: "password authentication failed", Kind: infra, Source: Provoked, States: []string{"28P01"},
			Pattern: `password authentication failed for user`,
			Because: "PostgreSQL refused the login: the secret holds a wrong or an old password",
			Remedy:  "store the present password in the connection's secret: sparkwright connections test NAME",
			Check:   "postgres.login",
		},
		{
			ID: "postgres.no_password", Title: "no password was given", Kind: infra, Source: Provoked,
			Pattern: `no password was provided|password-based authentication, but no password|the password is an empty string`,
			Because: "the connection's secret holds no password",
			Remedy:  "put username and password into the connection's secret",
			Check:   "secrets.form",
		},
		{
			ID: "postgres.hba", Title: "no pg_hba.conf entry", Kind: infra, Source: Provoked,
			Pattern: `no pg_hba\.conf entry for`,
			Because: "the server has no rule that lets this client in; often it demands TLS",
			Remedy:  "set the connection's tls to verify-full (RDS: rds.force_ssl), or add a rule to pg_hba.conf",
			Check:   "postgres.enforced",
		},
		{
			ID: "postgres.no_tls", Title: "the server does not support TLS", Kind: infra, Source: Provoked,
			Pattern: `The server does not support SSL`,
			Because: "the connection demands TLS and the server, or the pooler before it, has none",
			Remedy:  "switch TLS on in the server (ssl = on), or set the connection's tls to disable on a network that you trust",
			Check:   "postgres.tls",
		},
		{
			ID: "postgres.certificate", Title: "the server's certificate is not trusted", Kind: infra, Source: Provoked,
			Pattern: `PKIX path|SSLHandshakeException|Could not open SSL root certificate|hostname \S+ could not be verified|certificate.*(?:could not be verified|unknown authority)`,
			Because: "the authority of the server's certificate is unknown to the job, or the certificate is for another name",
			Remedy:  "give the authority's PEM file as root_cert of the connection (RDS: global-bundle.pem), and use the name in the certificate as host",
			Check:   "postgres.tls",
		},
		{
			ID: "postgres.database_missing", Title: "the database does not exist", Kind: infra, Source: Provoked, States: []string{"3D000"},
			Pattern: `FATAL: database ".*" does not exist`,
			Because: "there is no database of this name on the server",
			Remedy:  "correct the database of the connection",
			Check:   "postgres.login",
		},
		{
			ID: "postgres.role_missing", Title: "the role does not exist", Kind: infra, Source: Provoked,
			Pattern: `FATAL: role ".*" does not exist`,
			Because: "there is no role of this name on the server",
			Remedy:  "create the role (terraform output readonly_sql has the statements), or correct the user in the secret",
			Check:   "postgres.login",
		},
		{
			ID: "postgres.connections", Title: "too many connections", Kind: transient, Source: Provoked, States: []string{"53300"},
			Pattern: `too many connections for|remaining connection slots|too many clients already`,
			Because: "PostgreSQL has no connection free for this role: partitions times Spark executors are more than it allows",
			Remedy:  "ask for fewer parallel reads, raise the role's CONNECTION LIMIT or max_connections, or put a pooler before it",
			Check:   "postgres.limits",
		},
		{
			ID: "postgres.terminated", Title: "PostgreSQL ended the connection", Kind: transient, Source: Provoked, States: []string{"57P01", "57P02"},
			Pattern: `terminating connection due to|server closed the connection unexpectedly`,
			Because: "PostgreSQL was restarted, failed over, or an administrator ended the connection",
			Remedy:  "ask again; the whole read is repeated, never a part of it",
			Check:   "postgres.reach",
		},
		{
			ID: "postgres.starting", Title: "PostgreSQL is starting or recovering", Kind: transient, Source: Documented, States: []string{"57P03"},
			Pattern: `the database system is (?:starting up|shutting down|in recovery mode|not yet accepting)`,
			Because: "PostgreSQL is starting, stopping or recovering",
			Remedy:  "wait a moment and ask again",
			Check:   "postgres.reach",
		},
		{
			ID: "postgres.broken", Title: "the connection to PostgreSQL broke", Kind: transient, Source: Provoked, Rank: 2, States: []string{"08003", "08006", "08007"},
			Pattern: `An I/O error occurred while sending to the backend|java\.io\.EOFException|This connection has been closed|Connection reset|Broken pipe`,
			Because: "the connection to PostgreSQL was cut while rows were read: a crash, a failover or the network",
			Remedy:  "ask again; look into the server's log when it comes back",
			Check:   "postgres.reach",
		},
		{
			// The last of all: whatever else is known says more. It is tried again,
			// and never sent to the generator, which cannot repair a connection.
			ID: "postgres.jdbc", Title: "Spark could not read from PostgreSQL and does not say why", Kind: transient, Source: Documented, Rank: 9,
			Spark:   []string{"FAILED_JDBC"},
			Because: "PostgreSQL failed while Spark looked at a table or read it; most often the connection was lost",
			Remedy:  "ask again; when it comes back: sparkwright connections test NAME, and look into the server's log",
			Check:   "postgres.reach",
		},
		{
			ID: "postgres.iam", Title: "RDS IAM login refused", Kind: infra, Source: Documented,
			Pattern: `PAM authentication failed for user`,
			Because: "the RDS token is older than 15 minutes or for another user, or the job's role may not rds-db:connect as this one",
			Remedy:  "allow rds-db:connect as the connection's user to the execution role, and compare the clock; a read that logs in later than 15 minutes after it began has to be shorter",
			Check:   "iam.login",
		},
	}
}
