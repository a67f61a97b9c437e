package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// ratios are the CPU times of clowder divided by those of the others, for small
// answers over 32 connections.
func ratios(list []result) map[string]float64 {
	cpu := func(scenario, peer string) float64 {
		for _, r := range list {
			if r.scenario == scenario && r.peer == peer {
				return r.cpu
			}
		}
		return 0
	}
	out := map[string]float64{}
	for _, s := range scenarios {
		if !s.quick {
			continue
		}
		ours := cpu(s.name, "clowder")
		for _, peer := range []string{"httpd", "haproxy", "nginx"} {
			if theirs := cpu(s.name, peer); theirs > 0 {
				prefix := "http_vs_"
				if s.ajp {
					prefix = "ajp_vs_"
				}
				out[prefix+peer] = ours / theirs
			}
		}
	}
	return out
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

// table prints one line for each scenario and proxy. The ratio is the CPU time of
// clowder divided by that of the line's proxy.
func table(w io.Writer, list []result) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "load\tproxy\tCPU\tclowder is\trequests/s\tp50 ms\tp99 ms\t")
	ours := result{}
	for _, r := range list {
		if r.peer == "clowder" {
			ours = r
		}
		cpu := fmt.Sprintf("%.1f µs", r.cpu)
		if r.big {
			cpu = fmt.Sprintf("%.2f s/GiB", r.perGiB)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f ×\t%.0f\t%s\t%s\t\n", r.scenario, r.peer, cpu, ours.cpu/r.cpu, r.rate, ms(r.p50), ms(r.p99))
	}
	return t.Flush()
}

// footprint is the memory of one proxy.
type footprint struct {
	peer string
	idle int64   // bytes
	per  float64 // bytes for each idle kept-alive connection
}

// idleConns are opened for the memory of one.
const idleConns = 500

// memory measures the idle proxies, and again with kept-alive connections that
// have had one answer each.
func memory(f *field) ([]footprint, error) {
	var out []footprint
	for _, p := range f.peers {
		idle, err := treeMemory(p.pid())
		if err != nil {
			return nil, err
		}
		var with int64
		l := load{Addr: p.addr, Path: "/small", Conns: idleConns, Size: smallSize}
		_, err = f.clients.run(l, func() (err error) { with, err = treeMemory(p.pid()); return err }, func() error { return nil })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		out = append(out, footprint{p.name, idle, float64(with-idle) / idleConns})
	}
	return out, nil
}

func memoryTable(w io.Writer, list []footprint) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "proxy\tmemory MiB\tKiB per idle connection\t")
	for _, f := range list {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t\n", f.peer, float64(f.idle)/(1<<20), f.per/1024)
	}
	return t.Flush()
}
