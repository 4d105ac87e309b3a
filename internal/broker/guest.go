package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sparkwright/sparkwright"
)

// state is what the server says of itself before a run.
type state struct {
	Slots     int     `json:"slots"`      // connections that ordinary roles may have
	Used      int     `json:"used"`       // by everybody, this one included
	RoleLimit int     `json:"role_limit"` // -1 = none
	RoleUsed  int     `json:"role_used"`
	Super     bool    `json:"super"`
	Lag       float64 `json:"lag"`    // seconds that a standby is behind; 0 on a primary
	Oldest    float64 `json:"oldest"` // seconds of the oldest transaction of others
}

const stateSQL = `SELECT json_build_object(
	'slots', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
	'used', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
	'role_limit', r.rolconnlimit,
	'role_used', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = current_user),
	'super', r.rolsuper,
	'lag', coalesce(extract(epoch FROM CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
		THEN now() - pg_last_xact_replay_timestamp() END), 0),
	'oldest', coalesce((SELECT extract(epoch FROM max(now() - xact_start)) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), 0)) FROM pg_roles r WHERE r.rolname = current_user`

const (
	fewest   = 3 // the exporting connection, one that reads, and one to spare
	longTime = time.Hour
)

// guest holds a run back where it would hurt the server: it takes at most half
// of the connections that are free, and none where the last ones are at stake or
// a standby is too far behind.
func guest(ctx context.Context, c *control, lim *Limits) (notes []string, err error) {
	text, err := c.value(ctx, stateSQL)
	if err != nil {
		return nil, err
	}
	var s state
	if err = json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("read the server's state: %w", err)
	}
	free := s.Slots - s.Used + 1 // this connection is the run's
	if s.RoleLimit >= 0 && !s.Super {
		free = min(free, s.RoleLimit-s.RoleUsed+1)
	}
	if free < fewest {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "PostgreSQL has too few connections free for a run",
			Because: fmt.Sprintf("%d are free, %d are needed; %d of %d are in use", max(free-1, 0), fewest-1, s.Used-1, s.Slots),
			Remedy:  "try again when others have ended, or raise max_connections or the role's CONNECTION LIMIT",
		}
	}
	if budget := max(fewest, free/2); budget < lim.Connections {
		lim.Connections = budget
		notes = append(notes, fmt.Sprintf("the run reads over at most %d connections: half of those that were free", budget))
	}
	lag := time.Duration(s.Lag * float64(time.Second)).Round(time.Second)
	if lim.Lag > 0 && lag > lim.Lag {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "the standby is too far behind its primary",
			Because: fmt.Sprintf("it is %s behind, the limit is %s", lag, lim.Lag), Remedy: "wait, read from the primary, or raise the limit",
		}
	}
	if lag > time.Second {
		notes = append(notes, fmt.Sprintf("the standby is %s behind its primary", lag))
	}
	if oldest := time.Duration(s.Oldest * float64(time.Second)).Round(time.Minute); oldest >= longTime {
		notes = append(notes, fmt.Sprintf("another transaction has been open for %s: the server cannot clean up behind it, and the run's snapshot adds to that", oldest))
	}
	return notes, nil
}
