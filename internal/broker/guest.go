package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
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
	Active    int     `json:"active"` // statements of others under way, as far as the role sees them
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
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), 0),
	'active', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid())) FROM pg_roles r WHERE r.rolname = current_user`

const fewest = 3 // the exporting connection, one that reads, and one to spare

// Guard says from when on a server is in a state that people are told of, or in
// which no run begins. Zero values are not looked at.
type Guard struct {
	Refuse      bool          // the run, instead of a note
	Lag         time.Duration // that a standby is behind its primary
	Transaction time.Duration // that another transaction has been open
	Active      int           // statements of others under way
}

// guest holds a run back where it would hurt the server: it takes at most half
// of the connections that are free, and none where the last ones are at stake or
// the guard refuses.
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
	more, err := lim.Guard.judge(&s)
	return append(notes, more...), err
}

// judge tells what is wrong with the state of the server.
func (g Guard) judge(s *state) (notes []string, err error) {
	lag, oldest := time.Duration(s.Lag*float64(time.Second)), time.Duration(s.Oldest*float64(time.Second))
	if g.Lag > 0 && lag > g.Lag {
		notes = append(notes, fmt.Sprintf("the standby is %s behind its primary (limits.guard_lag_seconds)", lag.Round(time.Second)))
	}
	if g.Transaction > 0 && oldest > g.Transaction {
		notes = append(notes, fmt.Sprintf("another transaction has been open for %s: the server cannot clean up behind it, and the run's snapshot adds to that (limits.guard_transaction_minutes)", oldest.Round(time.Second)))
	}
	if g.Active > 0 && s.Active > g.Active {
		notes = append(notes, fmt.Sprintf("%d statements of others are under way (limits.guard_statements)", s.Active))
	}
	if !g.Refuse || len(notes) == 0 {
		return notes, nil
	}
	return nil, &sparkwright.Error{
		Code: sparkwright.CodeUnavailable, Message: "PostgreSQL is in no state for a run", Because: strings.Join(notes, "; "),
		Remedy: "wait, read from another server, raise the limit, or set limits.guard to warn",
	}
}
