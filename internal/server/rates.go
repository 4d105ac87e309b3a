package server

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sparkwright/sparkwright/internal/access"
)

// rates bound how many requests a second each client may send: each user, or
// each address where nobody is known.
type rates struct {
	each  rate.Limit
	burst int

	mu      sync.Mutex
	clients map[string]*client
}

type client struct {
	limiter *rate.Limiter
	seen    time.Time
}

// burstOf is how many seconds' worth may come at once: a page that opens asks
// for much.
const burstOf = 4

// maxClients bounds what is remembered: the oldest are forgotten.
const maxClients = 10_000

// defaultPerSecond is taken where the configuration says nothing.
const defaultPerSecond = 100

func newRates(perSecond int) *rates {
	if perSecond <= 0 {
		perSecond = defaultPerSecond
	}
	return &rates{each: rate.Limit(perSecond), burst: perSecond * burstOf, clients: map[string]*client{}}
}

func (r *rates) allow(who access.Identity, known bool, address string) bool {
	key := "user " + who.User
	if !known || who.Way == access.Open {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		key = "address " + host
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clients[key]
	if c == nil {
		if len(r.clients) >= maxClients {
			r.forget(now)
		}
		c = &client{limiter: rate.NewLimiter(r.each, r.burst)}
		r.clients[key] = c
	}
	c.seen = now
	return c.limiter.AllowN(now, 1)
}

// forget makes room: everybody whose bucket has long been full again, or all.
func (r *rates) forget(now time.Time) {
	for key, c := range r.clients {
		if now.Sub(c.seen) > 2*burstOf*time.Second {
			delete(r.clients, key)
		}
	}
	if len(r.clients) >= maxClients {
		clear(r.clients)
	}
}
