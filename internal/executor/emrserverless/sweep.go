package emrserverless

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"

	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// young is how old a job must be before it can be an orphan: the one who
// started it may be about to store its handle.
const young = 5 * time.Minute

// Sweep cancels the jobs of these applications that bear this installation's
// name and that nobody claims: claimed gets the attempt's ID. Jobs of other
// names are never touched. It returns the names of the jobs it has cancelled.
func (e *Executor) Sweep(ctx context.Context, applications []string, claimed func(ctx context.Context, attempt string) (bool, error)) ([]string, error) {
	var orphans []string
	for _, app := range applications {
		found := map[string]string{} // job by name
		open := []types.JobRunState{"SUBMITTED", "PENDING", "QUEUED", "SCHEDULED", "RUNNING"}
		pages := emrserverless.NewListJobRunsPaginator(e.emr, &emrserverless.ListJobRunsInput{ApplicationId: &app, States: open})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return orphans, awscloud.Error("the jobs of the application "+app+" cannot be listed", err)
			}
			for i := range page.JobRuns {
				j := &page.JobRuns[i]
				if strings.HasPrefix(text(j.Name), e.cfg.Instance+"-") && time.Since(moment(j.CreatedAt)) > young {
					found[text(j.Name)] = text(j.Id)
				}
			}
		}
		for name, job := range found {
			ours, err := claimed(ctx, strings.TrimPrefix(name, e.cfg.Instance+"-"))
			if err != nil {
				return orphans, err
			}
			if ours {
				continue
			}
			if err = e.send(ctx, &data{Application: app, Job: job}); err != nil {
				return orphans, awscloud.Error("the job "+job+" cannot be cancelled", err)
			}
			orphans = append(orphans, name)
		}
	}
	return orphans, nil
}
