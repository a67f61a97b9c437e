package runtime

import (
	"sync"
	"sync/atomic"

	"clowder/runtime/exchange"
	"clowder/runtime/proxy"
)

// generation is one configuration of a front end and the requests it serves. After
// it was retired it closes its proxy with its last request.
type generation struct {
	proxy    *proxy.Proxy
	requests atomic.Int64
	retired  atomic.Bool
	once     sync.Once
	gone     chan struct{} // closed when the proxy is
}

func newGeneration(p *proxy.Proxy) *generation {
	return &generation{proxy: p, gone: make(chan struct{})}
}

func (g *generation) leave() {
	if g.requests.Add(-1) == 0 && g.retired.Load() {
		g.close()
	}
}

// retire is called when no gate leads here any more.
func (g *generation) retire() {
	g.retired.Store(true)
	if g.requests.Load() == 0 {
		g.close()
	}
}

// close ends the proxy, with what is still in progress.
func (g *generation) close() {
	g.once.Do(func() {
		g.proxy.Close()
		close(g.gone)
	})
}

// gate hands requests of one address to the configuration of the moment.
type gate struct{ to atomic.Pointer[entry] }

// entry is a generation as one address sees it.
type entry struct {
	g       *generation
	handler exchange.Handler
}

// Serve answers with the configuration at the time of its call.
func (g *gate) Serve(x *exchange.Exchange) {
	e := g.enter()
	defer e.g.leave()
	e.handler.Serve(x)
}

// enter counts the request; a generation that was left meanwhile is not entered.
func (g *gate) enter() *entry {
	for {
		e := g.to.Load()
		e.g.requests.Add(1)
		if g.to.Load() == e {
			return e
		}
		e.g.leave()
	}
}
