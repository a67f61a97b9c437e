package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
)

var allToAllTooWide = &lint.Rule{
	ID: "X313", Name: "all-to-all-too-wide", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "More than four nodes replicate all sessions to each other with the DeltaManager.",
		Why:  "Each change of a session is sent to every other node and kept in the memory of all: traffic and memory grow with the number of nodes, and no node can hold more sessions than the smallest.",
		Fix:  "Use the BackupManager, which keeps one copy on one other node, or form smaller groups.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    BalancerMember "http://10.0.0.13:8080" route=s3
    BalancerMember "http://10.0.0.14:8080" route=s4
    BalancerMember "http://10.0.0.15:8080" route=s5
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s3/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.13"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s3">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s4/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.14"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s4">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s5/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.15"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s5">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    BalancerMember "http://10.0.0.13:8080" route=s3
    BalancerMember "http://10.0.0.14:8080" route=s4
    BalancerMember "http://10.0.0.15:8080" route=s5
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.BackupManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.BackupManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s3/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.13"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s3">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.BackupManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s4/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.14"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s4">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.BackupManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s5/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.15"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s5">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.BackupManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Counted in one multicast group and domain, or in one list of static members. Four nodes are fine.",
		Source: "Cluster how-to: not recommended for more than about four nodes; DeltaManager.send.",
	},
	Check: checkWidth,
}

// widest is the number of nodes up to which all-to-all replication is advised.
const widest = 4

func checkWidth(p *lint.Pass) {
	s := newStatics(p)
	for _, g := range clusterGroups(p) {
		parts := map[string][]peer{}
		var keys []string
		for _, x := range g {
			key, ok := mcastGroup(x.cluster)
			if f := domainFilter(x.cluster); f != nil {
				key += " " + filterDomain(f)
			}
			if !ok || !usesDelta(x.cluster) {
				continue
			}
			if parts[key] == nil {
				keys = append(keys, key)
			}
			parts[key] = append(parts[key], x)
		}
		for _, k := range keys {
			if part := parts[k]; len(part) > widest {
				reportWidth(p, part, len(part))
			}
		}
		checkStaticWidth(p, s, g)
	}
}

// checkStaticWidth reports the first node of a group whose list is too long.
func checkStaticWidth(p *lint.Pass, s *statics, g []peer) {
	for i, x := range g {
		l := s.lists[x.Node]
		if l == nil || usesMcast(x.cluster) || !usesDelta(x.cluster) {
			continue
		}
		_, self := s.targets(l)
		count := 1
		for k := range l.members {
			if !self[k] {
				count++
			}
		}
		if count > widest {
			f := widthFinding(x, count)
			f.Related = append(f.Related, lint.Related(l.at.Head(), "the static members of "+x.Name.V))
			reportPeer(p, x, g[i], f)
			return
		}
	}
}

func reportWidth(p *lint.Pass, part []peer, count int) {
	f := widthFinding(part[0], count)
	for _, y := range part[1:] {
		f.Related = append(f.Related, lint.Related(managerPlace(y, y.cluster.Manager), "node "+y.Name.V))
	}
	reportPeer(p, part[0], part[len(part)-1], f)
}

func widthFinding(x peer, count int) lint.Finding {
	return lint.Finding{
		At:      managerPlace(x, x.cluster.Manager),
		Message: fmt.Sprintf("%d nodes with DeltaManager: every session goes to every node; above %d nodes use BackupManager", count, widest),
	}
}
