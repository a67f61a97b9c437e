// Package lbmethod holds httpd's load balancing methods: which of a balancer's
// members serves a request that no session binds to one.
//
// A method is one file with a [Method] value and one line in [Methods]. The
// common frame (sets, spares, hot standbys) is that of
// ap_proxy_balancer_get_best_worker, modules/proxy/proxy_util.c.
package lbmethod

import "strings"

// Counters are what methods decide by. They belong to one member and are only
// touched under the lock of its balancer.
type Counters struct {
	Factor   int    // load factor times 100
	Status   int    // httpd's lbstatus
	Set      int    // lbset
	Busy     int    // requests in progress
	Elected  uint64 // times chosen
	Sent     uint64 // bytes to the backend
	Received uint64 // bytes from the backend
}

// Worker is a member as a method sees it. Methods are called under the balancer's lock.
type Worker interface {
	Counters() *Counters
	Usable() bool
	Retry() // clears an error whose time is over
	Draining() bool
	Spare() bool
	Standby() bool
}

// Method is one load balancing method.
type Method struct {
	Name   string // the value of lbmethod=
	Module string // the httpd module that provides it
	Doc    string // one sentence
	// Pick returns the index of the chosen worker, -1 for none, and does the
	// method's bookkeeping.
	Pick func(ws []Worker) int
}

// Methods are all methods.
var Methods = []*Method{
	&ByRequests,
	&ByTraffic,
	&ByBusyness,
	&Heartbeat,
}

// Find returns the method of that name, in any case, or nil.
func Find(name string) *Method {
	for _, m := range Methods {
		if strings.EqualFold(m.Name, name) {
			return m
		}
	}
	return nil
}

// frame is the search common to the methods: better is called for each candidate
// in file order and says whether it beats the best so far (nil at first).
func frame(ws []Worker, better func(c, best *Counters) bool) int {
	best, highest := -1, 0
	try := func(i int) {
		var b *Counters
		if best >= 0 {
			b = ws[best].Counters()
		}
		if better(ws[i].Counters(), b) {
			best = i
		}
	}
	var spares, standbys []int
	for set := 0; best < 0 && set <= highest; set++ {
		unusable := 0
		spares, standbys = spares[:0], standbys[:0]
		for i, w := range ws {
			if s := w.Counters().Set; s != set {
				highest = max(highest, s)
				continue
			}
			if w.Draining() {
				if !w.Spare() && !w.Standby() {
					unusable++
				}
				continue
			}
			if !w.Usable() {
				w.Retry()
			}
			usable := w.Usable()
			switch {
			case w.Spare():
				if usable {
					spares = append(spares, i)
				}
			case w.Standby():
				if usable {
					standbys = append(standbys, i)
				}
			case usable:
				try(i)
			default:
				unusable++
			}
		}
		for _, i := range spares[:min(len(spares), unusable)] {
			try(i)
		}
		if best < 0 {
			for _, i := range standbys {
				try(i)
			}
		}
	}
	return best
}
