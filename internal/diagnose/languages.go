package diagnose

// languages are the wordings of PostgreSQL 15 and of its JDBC driver in German,
// Spanish, French, Japanese and Russian, by class, for logs without a SQLSTATE.
// Jobs of our own report the SQLSTATE, which is the same in every language.
// provoke/locales.py made the logs from which they are taken.
var languages = map[string]string{
	"postgres.password": `Passwort-Authentifizierung für Benutzer .* fehlgeschlagen|la autentificación password falló para el usuario|` +
		`authentification par mot de passe échouée|のパスワード認証に失敗しました|не прошёл проверку подлинности \(по паролю\)`,
	"postgres.database_missing": `Datenbank ».*« existiert nicht|no existe la base de datos|la base de données .* n'existe pas|データベース".*"は存在しません|база данных ".*" не существует`,
	"postgres.connections": `zu viele Verbindungen (?:von|für)|demasiad[oa]s (?:conexiones|clientes)|trop de (?:connexions|clients)|` + //nolint:misspell // Spanish
		`接続が多すぎます|クライアント数が多すぎます|слишком много (?:подключений|клиентов)`,
	"postgres.permission":       `keine Berechtigung für|permiso denegado a|droit refusé pour|へのアクセスが拒否されました|ОШИБКА: нет доступа к`,
	"postgres.relation_missing": `FEHLER: Relation .* existiert nicht|ERROR: no existe la relación|la relation .* n'existe pas|リレーション".*"は存在しません|отношение ".*" не существует`,
	"postgres.column_missing":   `FEHLER: Spalte .* existiert nicht|ERROR: no existe la columna|la colonne .* n'existe pas|ERROR: 列.*は存在しません|столбец .* не существует`,
	"postgres.statement_timeout": `wegen Zeitüberschreitung der Anfrage|se agotó el tiempo de espera de sentencias|délai écoulé pour l'exécution de l'instruction|` +
		`ステートメントのタイムアウトのため|отменено из-за тайм-аута\s*$`,
	"postgres.syntax": `FEHLER: Syntaxfehler (?:bei|am Ende)|ERROR: error de sintaxis|ERREUR: erreur de syntaxe|ERROR: .*構文エラー|ОШИБКА: ошибка синтаксиса`,
	"postgres.read_only": `kann nicht in einer Read-Only-Transaktion ausgeführt werden|en una transacción de sólo lectura|dans une transaction en lecture seule|` +
		`リードオンリーのトランザクションでは .* を実行できません|в транзакции в режиме "только чтение" нельзя`,
	"postgres.terminated": `Verbindung wird abgebrochen aufgrund|terminando la conexión debido a|arrêt des connexions suite|により接続を終了しています|закрытие подключения по команде`,
	"postgres.division":   `FEHLER: Division durch Null|ERROR: división por cero|ERREUR: division par zéro|ERROR: 0 による除算|ОШИБКА: деление на ноль`,
	"postgres.refused":    `への接続が拒絶されました|Подсоединение по адресу \S+ отклонено`,
}
