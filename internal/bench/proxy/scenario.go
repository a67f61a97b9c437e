package main

import (
	"fmt"
	"slices"
	"time"
)

// scenario is one kind of load.
type scenario struct {
	name  string
	ajp   bool // httpd and clowder only
	quick bool
	load  load
}

// load is what the process that plays the clients is asked for.
type load struct {
	Addr  string
	Path  string
	Conns int
	Post  int           // bytes of a request's body; 0 is a GET
	Size  int64         // bytes of an answer's body, checked
	Warm  time.Duration // before the measurement
	Span  time.Duration
}

const (
	smallSize = 130
	midSize   = 64 << 10
	bigSize   = 100 << 20
	postSize  = 10 << 10
)

var scenarios = []scenario{
	{name: "GET 130 B, 32 connections", quick: true, load: load{Path: "/small", Conns: 32, Size: smallSize}},
	{name: "GET 130 B, 256 connections", load: load{Path: "/small", Conns: 256, Size: smallSize}},
	{name: "GET 64 KiB, 32 connections", load: load{Path: "/mid", Conns: 32, Size: midSize}},
	{name: "GET 64 KiB, 256 connections", load: load{Path: "/mid", Conns: 256, Size: midSize}},
	{name: "POST 10 KiB, 32 connections", load: load{Path: "/small", Conns: 32, Post: postSize, Size: smallSize}},
	{name: "GET 100 MiB, 2 connections", load: load{Path: "/big", Conns: 2, Size: bigSize}},
	{name: "AJP GET 130 B, 32 connections", ajp: true, quick: true, load: load{Path: "/small", Conns: 32, Size: smallSize}},
	{name: "AJP GET 130 B, 256 connections", ajp: true, load: load{Path: "/small", Conns: 256, Size: smallSize}},
	{name: "AJP GET 64 KiB, 32 connections", ajp: true, load: load{Path: "/mid", Conns: 32, Size: midSize}},
	{name: "AJP POST 10 KiB, 32 connections", ajp: true, load: load{Path: "/small", Conns: 32, Post: postSize, Size: smallSize}},
}

// sample is one measurement, or the medians of several.
type sample struct {
	cpu      float64 // µs for each request
	perGiB   float64 // CPU seconds for each GiB of answers' bodies
	rate     float64 // requests per second
	p50, p99 time.Duration
}

// result is a proxy's median in a scenario.
type result struct {
	scenario string
	peer     string
	sample
	big bool
}

// measure puts the load on each proxy in turn, o.rounds times. A quick run takes
// fewer rounds when time is short, but at least three.
func measure(f *field, s scenario, o options, begin time.Time) ([]result, error) {
	var peers []*peer
	for _, p := range f.peers {
		if !s.ajp || p.ajpAddr != "" {
			peers = append(peers, p)
		}
	}
	all := make([][]sample, len(peers))
	for round := range o.rounds {
		if o.quick && round >= 3 && time.Since(begin) > quickTime {
			break
		}
		for i, p := range peers {
			l := s.load
			l.Addr, l.Span, l.Warm = p.addr, o.span, 150*time.Millisecond
			if s.ajp {
				l.Addr = p.ajpAddr
			}
			x, err := once(f, p, l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			all[i] = append(all[i], x)
		}
	}
	var out []result
	for i, p := range peers {
		out = append(out, result{s.name, p.name, medians(all[i]), s.load.Size == bigSize})
	}
	return out, nil
}

// once puts the load on one proxy and takes its CPU time from the moment that
// the clients say they are warm to the moment that the last answer is there.
func once(f *field, p *peer, l load) (sample, error) {
	var before, after time.Duration
	rep, err := f.clients.run(l,
		func() (err error) { before, err = treeCPU(p.pid()); return err },
		func() (err error) { after, err = treeCPU(p.pid()); return err })
	if err != nil {
		return sample{}, err
	}
	cpu := after - before
	return sample{
		cpu:    float64(cpu.Microseconds()) / float64(rep.Requests),
		perGiB: cpu.Seconds() / (float64(rep.Requests) * float64(l.Size) / (1 << 30)),
		rate:   float64(rep.Requests) / rep.Took.Seconds(),
		p50:    rep.P50, p99: rep.P99,
	}, nil
}

// medians takes the median of each column.
func medians(list []sample) sample {
	return sample{
		cpu:    median(list, func(s sample) float64 { return s.cpu }),
		perGiB: median(list, func(s sample) float64 { return s.perGiB }),
		rate:   median(list, func(s sample) float64 { return s.rate }),
		p50:    time.Duration(median(list, func(s sample) float64 { return float64(s.p50) })),
		p99:    time.Duration(median(list, func(s sample) float64 { return float64(s.p99) })),
	}
}

func median(list []sample, of func(sample) float64) float64 {
	v := make([]float64, len(list))
	for i, s := range list {
		v[i] = of(s)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
