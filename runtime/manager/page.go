package manager

import (
	"fmt"
	"time"

	"clowder/runtime/balancer"
)

// page is what the templates see.
type page struct {
	Server, Version, Path string
	Uptime                time.Duration
	Balancers             []row
}

type row struct {
	Name, Nonce, Path string
	balancer.Settings
	Members []balancer.Snapshot
}

func newRow(b *balancer.Balancer, v View) row {
	r := row{Name: b.Name, Nonce: b.Nonce, Path: v.Paths[b.Name], Settings: b.Settings()}
	for _, m := range b.Members() {
		r.Members = append(r.Members, m.Snapshot())
	}
	return r
}

func newPage(o Options, v View) page {
	pg := page{Server: v.ServerName, Version: o.Server, Path: v.Path, Uptime: time.Since(o.Started).Round(time.Second)}
	for _, x := range v.Balancers {
		pg.Balancers = append(pg.Balancers, newRow(x, v))
	}
	return pg
}

// factor prints a load factor of hundredths.
func factor(n int) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

// size is apr_strfsize: four characters.
func size(n uint64) string {
	if n < 973 {
		return fmt.Sprintf("%3d ", n)
	}
	units := "KMGTPE"
	for i := 0; ; i++ {
		rest := n & 1023
		n >>= 10
		if n >= 973 && i < len(units)-1 {
			continue
		}
		if n < 9 || n == 9 && rest < 973 {
			rest = (rest*5 + 256) / 512
			if rest >= 10 {
				n, rest = n+1, 0
			}
			return fmt.Sprintf("%d.%d%c", n, rest, units[i])
		}
		if rest >= 512 {
			n++
		}
		return fmt.Sprintf("%3d%c", n, units[i])
	}
}
