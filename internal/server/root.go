package server

import (
	"net/http"
	"time"
)

// banner is GET /: what this server is and what it offers.
func (s *server) banner(w http.ResponseWriter, _ *http.Request) {
	endpoints := map[string]string{}
	for _, r := range s.endpoints() {
		path := r.path
		if path == "/{$}" {
			path = "/"
		}
		if endpoints[path] != "" {
			endpoints[path] += ", "
		}
		endpoints[path] += r.method
	}
	body := s.where()
	body["message"] = "Sparkwright"
	body["architecture"] = "question → catalog → placement → analysis → check → attempt → result"
	body["endpoints"] = endpoints
	s.write(w, http.StatusOK, body)
}

// health has the fields of the reference; status tells the truth.
func (s *server) health(w http.ResponseWriter, r *http.Request) {
	status, code := "healthy", http.StatusOK
	if err := s.cfg.Healthy(r.Context()); err != nil {
		status, code = "unhealthy", http.StatusServiceUnavailable
		s.cfg.Log.ErrorContext(r.Context(), "unhealthy", "error", err)
	}
	body := s.where()
	body["status"], body["timestamp"] = status, epoch(time.Now())
	s.write(w, code, body)
}

// where is what banner and health both tell of the configuration. Settings
// that cannot be read leave it empty: these endpoints always answer.
func (s *server) where() map[string]any {
	body := map[string]any{
		"supervisor_agent_arn": notConfigured, "ray_private_ip": "", "ray_public_ip": "", "s3_bucket": "", "mcp_gateway_url": "",
	}
	if set, err := s.cfg.Settings.Load(); err == nil {
		if set.Ray.SupervisorARN != "" {
			body["supervisor_agent_arn"] = set.Ray.SupervisorARN
		}
		body["ray_private_ip"], body["ray_public_ip"] = set.Ray.PrivateIP, set.Ray.PublicIP
		body["s3_bucket"], body["mcp_gateway_url"] = set.Ray.Bucket, set.Ray.GatewayURL
	}
	return body
}

const notConfigured = "not configured"

// epoch is a time as the reference writes it: seconds since 1970.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
