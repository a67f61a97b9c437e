package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clowder/internal/ports"
)

// programs are those that are compared.
type programs struct{ clowder, httpd, haproxy, nginx string }

type missingError struct{ what, debian string }

func (e *missingError) Error() string {
	return e.what + " is not installed; install it, on Debian by: apt-get install " + e.debian
}

func findPrograms() (p programs, err error) {
	find := func(to *string, what, debian string, names ...string) {
		for _, n := range names {
			if path, e := exec.LookPath(n); e == nil {
				*to = path
				return
			}
		}
		err = errors.Join(err, &missingError{what, debian})
	}
	find(&p.httpd, "httpd", "apache2", "apache2", "httpd", "/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd")
	find(&p.haproxy, "HAProxy", "haproxy", "haproxy", "/usr/sbin/haproxy")
	find(&p.nginx, "nginx", "nginx-light", "nginx", "/usr/sbin/nginx")
	return p, err
}

// peer is one running proxy.
type peer struct {
	name    string
	addr    string
	ajpAddr string // "" without AJP
	cmd     *exec.Cmd
	log     string
	done    chan struct{}
}

func (p *peer) pid() int { return p.cmd.Process.Pid }

// field is everything that runs.
type field struct {
	dir     string
	backend *backend
	clients *clients
	peers   []*peer
}

func (f *field) start(p programs) (err error) {
	if f.backend, err = startBackend(); err != nil {
		return err
	}
	if f.clients, err = startClients(); err != nil {
		return err
	}
	if err := f.startHTTPD("clowder", p); err != nil {
		return err
	}
	if err := f.startHTTPD("httpd", p); err != nil {
		return err
	}
	if err := f.startHAProxy(p.haproxy); err != nil {
		return err
	}
	if err := f.startNginx(p.nginx); err != nil {
		return err
	}
	for _, p := range f.peers {
		if err := p.wait(); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) file(name, text string) (string, error) {
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}

func freeAddr() (string, error) {
	n, err := ports.Free()
	return "127.0.0.1:" + strconv.Itoa(n), err
}

// launch starts a proxy in the foreground.
func (f *field) launch(p *peer, program string, args ...string) error {
	p.log = filepath.Join(f.dir, p.name+".log")
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = f.dir, log, log
	p.done = make(chan struct{})
	if err := p.cmd.Start(); err != nil {
		return err
	}
	f.peers = append(f.peers, p)
	go func() { p.cmd.Wait(); close(p.done) }()
	return nil
}

// wait returns when the proxy listens.
func (p *peer) wait() error {
	for _, a := range []string{p.addr, p.ajpAddr} {
		for end := time.Now().Add(10 * time.Second); a != ""; {
			c, err := net.Dial("tcp", a)
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-p.done:
				end = time.Time{}
			case <-time.After(10 * time.Millisecond):
			}
			if time.Now().After(end) {
				out, _ := os.ReadFile(p.log)
				return fmt.Errorf("%s does not listen on %s: %w\n%s", p.name, a, err, out)
			}
		}
	}
	return nil
}

// stop ends all processes that start began, by their ids.
func (f *field) stop() error {
	var errs []error
	for _, p := range f.peers {
		p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(5 * time.Second):
			pids, _ := tree(p.pid())
			for _, id := range pids {
				syscall.Kill(id, syscall.SIGKILL)
			}
			<-p.done
			errs = append(errs, fmt.Errorf("%s did not stop when told to", p.name))
		}
	}
	if f.clients != nil {
		f.clients.in.Close()
		errs = append(errs, f.clients.cmd.Wait())
	}
	if f.backend != nil {
		f.backend.in.Close()
		errs = append(errs, f.backend.cmd.Wait())
	}
	return errors.Join(errs...)
}

// startHTTPD starts httpd or, with the same file but for its ports, clowder.
func (f *field) startHTTPD(name string, progs programs) (err error) {
	p := &peer{name: name}
	if p.addr, err = freeAddr(); err != nil {
		return err
	}
	if p.ajpAddr, err = freeAddr(); err != nil {
		return err
	}
	conf, err := f.file(name+"/httpd.conf", httpdConf(filepath.Join(f.dir, name), p, f.backend))
	if err != nil {
		return err
	}
	if name == "clowder" {
		return f.launch(p, progs.clowder, "run", "--quiet", "--only", "balancer", filepath.Dir(conf))
	}
	return f.launch(p, progs.httpd, "-f", conf, "-DFOREGROUND")
}

// moduleDirs are the folders that distributions keep the modules of httpd in.
var moduleDirs = []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/local/apache2/modules"}

func httpdConf(dir string, p *peer, b *backend) string {
	var s strings.Builder
	fmt.Fprintf(&s, "ServerRoot %q\nDefaultRuntimeDir %q\nPidFile %q\nErrorLog %q\nServerName bench.example\n",
		dir, dir, filepath.Join(dir, "pid"), filepath.Join(dir, "error.log"))
	for _, m := range []string{"mpm_event", "unixd", "authz_core", "slotmem_shm", "proxy", "proxy_http", "proxy_ajp", "proxy_balancer", "lbmethod_byrequests"} {
		for _, d := range moduleDirs {
			file := filepath.Join(d, "mod_"+m+".so")
			if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() {
				fmt.Fprintf(&s, "LoadModule %s_module %s\n", m, file)
				break
			}
		}
	}
	if os.Getuid() == 0 {
		s.WriteString("User nobody\n")
	}
	s.WriteString(`StartServers 4
ServerLimit 8
ThreadsPerChild 64
MaxRequestWorkers 512
MinSpareThreads 64
MaxSpareThreads 512
AsyncRequestWorkerFactor 8
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
`)
	for _, v := range []struct {
		name, scheme, addr string
		members            []string
	}{{"web", "http", p.addr, b.http}, {"tomcats", "ajp", p.ajpAddr, b.ajp}} {
		fmt.Fprintf(&s, "Listen %s\n<VirtualHost %s>\n<Proxy balancer://%s>\n", v.addr, v.addr, v.name)
		for _, m := range v.members {
			fmt.Fprintf(&s, "BalancerMember %s://%s\n", v.scheme, m)
		}
		fmt.Fprintf(&s, "</Proxy>\nProxyPass / balancer://%s/\nProxyPassReverse / balancer://%s/\n</VirtualHost>\n", v.name, v.name)
	}
	return s.String()
}

func (f *field) startHAProxy(program string) (err error) {
	p := &peer{name: "haproxy"}
	if p.addr, err = freeAddr(); err != nil {
		return err
	}
	conf, err := f.file("haproxy.cfg", fmt.Sprintf(`global
    nbthread 2
    maxconn 8192
defaults
    mode http
    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
frontend in
    bind %s
    default_backend web
backend web
    balance roundrobin
    server a %s
    server b %s
`, p.addr, f.backend.http[0], f.backend.http[1]))
	if err != nil {
		return err
	}
	return f.launch(p, program, "-db", "-f", conf)
}

func (f *field) startNginx(program string) (err error) {
	p := &peer{name: "nginx"}
	if p.addr, err = freeAddr(); err != nil {
		return err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user nobody nogroup;\n"
		for _, d := range []string{"body", "proxy", "fcgi", "uwsgi", "scgi"} {
			os.MkdirAll(filepath.Join(f.dir, "nginx", d), 0o777)
			os.Chmod(filepath.Join(f.dir, "nginx", d), 0o777)
		}
	}
	conf, err := f.file("nginx/nginx.conf", user+fmt.Sprintf(`daemon off;
worker_processes 2;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi;
    uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
    keepalive_timeout 60s;
    keepalive_requests 100000000;
    upstream web { server %[2]s; server %[3]s; keepalive 256; keepalive_requests 100000000; }
    server {
        listen %[4]s;
        location / {
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_max_temp_file_size 0;
        }
    }
}
`, filepath.Join(f.dir, "nginx"), f.backend.http[0], f.backend.http[1], p.addr))
	if err != nil {
		return err
	}
	return f.launch(p, program, "-p", filepath.Dir(conf), "-e", filepath.Join(f.dir, "nginx.error"), "-c", conf)
}
