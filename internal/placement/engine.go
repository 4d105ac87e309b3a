package placement

import "fmt"

// Postgres is the executor of answers for which Spark is not needed.
const Postgres = "postgres"

// The engines that requests and settings name.
const (
	EngineAuto  = "auto"  // PostgreSQL answers by itself what it answers cheaply
	EngineSpark = "spark" // always Spark
)

// EngineInput is all that decides whether PostgreSQL may answer by itself.
type EngineInput struct {
	Asked   string // the request's engine: "", EngineAuto or EngineSpark
	Setting string // spark.engine; "" = EngineSpark
	// Asked for by the request: Place is an executor, Code the user's own.
	Place string
	Code  bool
	// Executor is where it would run otherwise; only this machine's warm Spark
	// makes way.
	Executor string
}

// MayAnswer says whether it is to be found out if PostgreSQL can answer.
func MayAnswer(in EngineInput) bool {
	engine := in.Asked
	if engine == "" {
		engine = in.Setting
	}
	return engine == EngineAuto && !in.Code && (in.Place == "" || in.Place == "auto") && in.Executor == Connect
}

// Promise is what is known of the one statement before it is carried out.
type Promise struct {
	Why     string  // why there is no such statement; "" = there is
	Cost    float64 // that PostgreSQL expects
	Rows    float64
	MaxCost float64
	MaxRows float64
}

// Answer decides whether PostgreSQL answers, and says why, or why not.
func Answer(p Promise) (yes bool, reason string) {
	switch {
	case p.Why != "":
		return false, p.Why
	case p.Cost > p.MaxCost:
		return false, fmt.Sprintf("PostgreSQL expects a cost of %.0f for it, over spark.direct_cost, %.0f", p.Cost, p.MaxCost)
	case p.Rows > p.MaxRows:
		return false, fmt.Sprintf("PostgreSQL expects %.0f rows, more than %.0f", p.Rows, p.MaxRows)
	}
	return true, fmt.Sprintf("PostgreSQL itself: one statement answers the question, at an expected cost of %.0f (spark.direct_cost is %.0f); the Spark code beside it gives the same answer", p.Cost, p.MaxCost)
}
