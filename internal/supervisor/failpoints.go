package supervisor

// Failpoints are the named points of a run, in the order in which one passes
// them. Nothing happens there but in crash tests (Config.Failpoint).
var Failpoints = []string{
	"submit:accepted",        // the run is stored, its client not yet told
	"work:fetched",           // the queue's job is fetched, the run not yet taken
	"work:taken",             // the run has an owner, nothing is done
	"commit:generate:before", // the catalog is read
	"commit:generate:after",
	"generate:before", // the generator is about to be asked
	"generate:after",  // it has answered, which nobody knows yet
	"commit:check:before",
	"commit:check:after",
	"commit:submit:before", // the analysis has passed
	"commit:submit:after",
	"submit:before", // the attempt is stored, not submitted
	"submit:after",  // it is submitted, its handle not stored
	"commit:poll:before",
	"commit:poll:after",
	"poll:before",
	"commit:collect:before", // the attempt is over
	"commit:collect:after",
	"collect:before",
	"commit:final:before",
	"commit:final:after",
}

// Points that a run passes only when somebody cancels it, or decides about its
// code.
var (
	CancelFailpoints = []string{
		"cancel:before", // the cancel is stored, the attempt not told
		"cancel:after",  // the attempt is told, which nobody knows yet
	}
	DecisionFailpoints = []string{
		"decide:taken",  // somebody has approved, which is not stored
		"decide:stored", // it is stored, its client not yet told
	}
)

// TakeOverFailpoint is passed by a server that goes on with the runs of one
// that has died.
const TakeOverFailpoint = "reconcile:takeover"
