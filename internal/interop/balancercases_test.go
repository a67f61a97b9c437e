package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/internal/vectors"
	"clowder/parse"
	"clowder/runtime"
)

// balancerCases are played on the real httpd and on clowder, which must answer the
// same and send backends the same: configuration, backends and steps in the form of
// the recorded cases.
var balancerCases = map[string]string{
	"ajp close":                   `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "close"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp hdrclose":                `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "hdrclose"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp partial":                 `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "partial"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp noheaders":               `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "noheaders"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp twice":                   `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "twice"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp bodyfirst":               `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "bodyfirst"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp badchunk":                `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "badchunk"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp flush":                   `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "mode": "flush"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"ajp noreuse":                 `{"config": "PAIRAJP", "backends": {"J": {"proto": "ajp", "noreuse": true}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1"}}, {"request": {"path": "/1"}}, {"request": {"path": "/1"}}]}`,
	"ajp plain close":             `{"config": "ProxyPass / ajp://127.0.0.1:@J@/\n", "backends": {"J": {"proto": "ajp", "mode": "close"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}]}`,
	"ajp plain refused":           `{"config": "ProxyPass / ajp://127.0.0.1:@X@/\n", "backends": {}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}]}`,
	"ajp hang":                    `{"config": "ProxyPass / ajp://127.0.0.1:@J@/ timeout=1\n", "backends": {"J": {"proto": "ajp", "mode": "hang"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}]}`,
	"ajp hang ping post":          `{"config": "ProxyPass / ajp://127.0.0.1:@J@/ timeout=1 ping=1\n", "backends": {"J": {"proto": "ajp", "mode": "hang"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}]}`,
	"ajp route":                   `{"config": "<Proxy balancer://c>\nBalancerMember ajp://127.0.0.1:@J@ route=j\nBalancerMember ajp://127.0.0.1:@K@ route=k secret=s3\nProxySet stickysession=S|s\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"J": {"proto": "ajp"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1", "headers": [["Cookie", "S=x.k"]]}}, {"request": {"path": "/1;s=y.j"}}, {"request": {"path": "/1", "headers": [["Cookie", "S=x.zz"]]}}, {"request": {"path": "/1?s=y.k&b=2"}}]}`,
	"ajp status":                  `{"config": "ProxyPass / ajp://127.0.0.1:@J@/\nProxyErrorOverride On\n", "backends": {"J": {"proto": "ajp", "status": 503, "reason": "Busy"}}, "steps": [{"request": {"path": "/1"}}, {"set": {"J": {"status": 404, "reason": ""}}}, {"request": {"path": "/1"}}, {"set": {"J": {"status": 204}}}, {"request": {"path": "/1"}}, {"set": {"J": {"status": 304, "reason": "Not Modified"}}}, {"request": {"path": "/1"}}]}`,
	"ajp methods":                 `{"config": "ProxyPass / ajp://127.0.0.1:@J@/\n", "backends": {"J": {"proto": "ajp"}}, "steps": [{"request": {"path": "/x", "method": "HEAD"}}, {"request": {"path": "/x", "method": "OPTIONS"}}, {"request": {"path": "/x", "method": "ACL"}}, {"request": {"path": "/x", "method": "PATCH", "body": ""}}, {"request": {"path": "/x", "method": "DELETE", "headers": [["Content-Length", "0"]]}}, {"request": {"path": "/x", "version": "1.0", "headers": [["Host", "h:99"]]}}]}`,
	"ajp host port":               `{"config": "ProxyPass / ajp://127.0.0.1:@J@/\nRequestHeader set X-A b\nProxyPreserveHost On\nProxyVia On\n", "backends": {"J": {"proto": "ajp"}}, "steps": [{"request": {"path": "/x%20y/%C3%A9", "headers": [["Host", "Some.Name:8080"], ["X-B", "1"], ["X-B", "2"]]}}]}`,
	"ajp error doc":               `{"config": "ErrorDocument 503 \"sorry\"\nErrorDocument 500 /local.txt\nProxyPass /local.txt !\nProxyPass / ajp://127.0.0.1:@X@/\n", "backends": {}, "steps": [{"request": {"path": "/1"}}]}`,
	"ajp failontimeout":           `{"config": "<Proxy balancer://c>\nBalancerMember ajp://127.0.0.1:@J@ timeout=1\nBalancerMember ajp://127.0.0.1:@K@ timeout=1\nProxySet failontimeout=On failonstatus=500\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"J": {"proto": "ajp", "mode": "hang"}, "K": {"proto": "ajp"}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1?q=1"}}, {"request": {"path": "/1"}}, {"set": {"K": {"status": 500}}}, {"request": {"path": "/1"}}, {"request": {"path": "/1"}}]}`,
	"header always":               `{"config": "Header always set X-A always\nHeader set X-B out\nHeader unset X-C\nHeader always unset X-D\nHeader add Set-Cookie \"R=%{BALANCER_WORKER_ROUTE}e\" env=BALANCER_ROUTE_CHANGED\nHeader always set Server nobody\nProxyPass /nope !\n<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@ route=a\nProxySet stickysession=S\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"headers": [["X-A", "1"], ["X-C", "1"], ["X-D", "1"], ["Set-Cookie", "z=1"]]}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/nope"}}, {"set": {"A": {"status": 404}}}, {"request": {"path": "/1"}}]}`,
	"via":                         `{"config": "ProxyVia Full\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"headers": [["Via", "1.1 b"]]}}, "steps": [{"request": {"path": "/1", "headers": [["Via", "1.0 a"]]}}, {"request": {"path": "/1", "headers": [["Host", "h:8080"]]}}]}`,
	"expect":                      `{"config": "ProxyPass /off http://127.0.0.1:@A@/\n<Location /off>\nProxy100Continue Off\n</Location>\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/1", "method": "POST", "body": "abc", "headers": [["X-Z", "1"], ["Expect", "100-continue"]], "wait100": 2}}, {"request": {"path": "/off/1", "method": "POST", "body": "abc", "headers": [["Expect", "100-continue"]], "wait100": 2}}, {"request": {"path": "/1", "headers": [["Expect", "100-continue"]]}}]}`,
	"expect final":                `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "early_final", "status": 404}}, "steps": [{"request": {"path": "/1", "method": "POST", "body": "abc", "headers": [["Expect", "100-continue"]], "wait100": 2}}]}`,
	"interim":                     `{"config": "SetEnvIf Request_URI ^/s proxy-interim-response=Suppress\nSetEnvIf Request_URI ^/r proxy-interim-response=RFC\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"interim": [["100 Continue"], ["103 Early Hints", ["Link", "x"], ["X-I", "1"]]]}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/s"}}, {"request": {"path": "/r"}}, {"request": {"path": "/1", "version": "1.0"}}]}`,
	"http close":                  `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@\nBalancerMember http://127.0.0.1:@B@\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"mode": "close"}, "B": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"http reset":                  `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@\nBalancerMember http://127.0.0.1:@B@\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"mode": "reset"}, "B": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"http close_early":            `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@\nBalancerMember http://127.0.0.1:@B@\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"mode": "close_early"}, "B": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"http partial":                `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@\nBalancerMember http://127.0.0.1:@B@\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"mode": "partial"}, "B": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"http chunkpartial":           `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@\nBalancerMember http://127.0.0.1:@B@\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"mode": "chunkpartial"}, "B": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"http chunked":                `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@\nBalancerMember http://127.0.0.1:@B@\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"mode": "chunked"}, "B": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "method": "POST", "body": "abc"}}, {"request": {"path": "/1"}}]}`,
	"raw 0":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200\r\n\r\nx"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 1":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 1\r\n\r\nx"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 2":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 3":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 4":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "junk\r\nmore"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 5":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 99 X\r\n\r\n"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 6":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 7":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 8":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 9":                       `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\r\nDate: Sunday, 06-Nov-94 08:49:37 GMT\r\nExpires: 0\r\nLast-Modified: Sun Nov  6 08:49:37 1994\r\nContent-Length: 0\r\n\r\n"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 10":                      `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": "HTTP/1.1 200 OK\r\nConnection: X-A, close\r\nX-A: 1\r\nKeep-Alive: 1\r\nTrailer: x\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\nTE: y\r\nContent-Length: 0\r\n\r\n"}}, "steps": [{"request": {"path": "/1"}}]}`,
	"raw 11":                      `{"config": "ProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "raw", "raw": ""}}, "steps": [{"request": {"path": "/1"}}]}`,
	"upgrade":                     `{"config": "ProxyPass /ws ws://127.0.0.1:@A@/w\nProxyPass /any http://127.0.0.1:@A@/a upgrade=ANY\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "upgrade", "upgrade": "websocket"}}, "steps": [{"request": {"path": "/ws/1", "headers": [["Upgrade", "WebSocket"], ["Connection", "Upgrade"]]}}, {"request": {"path": "/any/1", "headers": [["Upgrade", "foo"], ["Connection", "Upgrade"]]}}, {"request": {"path": "/x", "headers": [["Upgrade", "websocket"], ["Connection", "Upgrade"]]}}]}`,
	"reverse":                     `{"config": "ProxyPass /a http://127.0.0.1:@A@/x\nProxyPassReverse /a http://127.0.0.1:@A@/x\nProxyPassReverseCookieDomain back.example front.example\nProxyPassReverseCookiePath / /a/\n", "backends": {"A": {"headers": [["Location", "http://127.0.0.1:@A@/x/y"], ["Content-Location", "/x/z"], ["URI", "http://127.0.0.1:@A@/xq"], ["Set-Cookie", "a=1; Path=/x; Domain=BACK.example.org; Secure"], ["Set-Cookie", "b=path=/x"], ["Refresh", "0; url=http://127.0.0.1:@A@/x"]]}}, "steps": [{"request": {"path": "/a/1"}}, {"request": {"path": "/a/1", "headers": [["Host", "h.example:8080"]]}}, {"request": {"path": "/a/1", "version": "1.0", "nohost": true}}]}`,
	"override":                    `{"config": "ProxyErrorOverride On 404 503\nErrorDocument 404 /local.txt\nProxyPass /local.txt !\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"status": 404}}, "steps": [{"set": {"A": {"status": 500, "reason": "Own"}}}, {"request": {"path": "/1"}}, {"set": {"A": {"status": 503, "reason": "Own"}}}, {"request": {"path": "/1"}}, {"set": {"A": {"status": 401, "headers": [["WWW-Authenticate", "Digest a=\"b\""]]}}}, {"request": {"path": "/1"}}]}`,
	"error documents":             `{"config": "ErrorDocument 404 http://other.example/x\nErrorDocument 403 \"no\nErrorDocument 502 /e/502\nProxyPass /e/ http://127.0.0.1:@B@/e/\nProxyPass /n !\n<Location /d>\nRequire all denied\n</Location>\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "close"}, "B": {}}, "steps": [{"request": {"path": "/n/x"}}, {"request": {"path": "/d/1"}}, {"set": {"B": {"status": 404}}}, {"request": {"path": "/1", "headers": [["Accept", "x"]]}}]}`,
	"error document of a backend": `{"config": "ErrorDocument 404 http://other.example/x\nErrorDocument 403 \"no\nErrorDocument 502 /e/502\nProxyPass /e/ http://127.0.0.1:@B@/e/\nProxyPass /n !\n<Location /d>\nRequire all denied\n</Location>\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {"mode": "close"}, "B": {}}, "steps": [{"request": {"path": "/1", "method": "POST", "body": "abc"}}]}`,
	"percent under NoDecode":      `{"config": "AllowEncodedSlashes NoDecode\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/a%25"}}]}`,
	"encode":                      `{"config": "AllowEncodedSlashes NoDecode\nProxyPass /nc http://127.0.0.1:@A@/nc nocanon\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/a%2fb%20c%3Bd"}}, {"request": {"path": "/nc/a%2Fb%5B?x=%20"}}, {"request": {"path": "/a'b(c)*!~$;,@"}}, {"request": {"path": "/%00"}}, {"request": {"path": "/a/../../b"}}, {"request": {"path": "/a//b/./c"}}, {"request": {"path": "/x?"}}, {"request": {"path": "/%zz"}}]}`,
	"servlet":                     `{"config": "ProxyPass /app balancer://c/app mapping=servlet\n<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@ route=a\nBalancerMember http://127.0.0.1:@B@ route=b\nProxySet stickysession=JSESSIONID|jsessionid\n</Proxy>\n", "backends": {"A": {}, "B": {}}, "steps": [{"request": {"path": "/app;v=1/x;jsessionid=1.b/y"}}, {"request": {"path": "/app/x;jsessionid=1.b"}}, {"request": {"path": "/app;jsessionid=1.b"}}, {"request": {"path": "/app/../app/%2e/x"}}, {"request": {"path": "/app/a%2Fb"}}]}`,
	"lbset":                       `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@ lbset=0\nBalancerMember http://127.0.0.1:@B@ lbset=2\nBalancerMember http://127.0.0.1:@C@ status=+H\nProxySet lbmethod=bybusyness forcerecovery=Off\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {"listen": false}, "B": {}, "C": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1"}}, {"set": {"B": {"listen": false}}}, {"request": {"path": "/1"}}, {"set": {"C": {"listen": false}}}, {"request": {"path": "/1"}}, {"request": {"path": "/1"}}]}`,
	"attempts":                    `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@X@ retry=60\nBalancerMember http://127.0.0.1:@Y@ retry=60\nBalancerMember http://127.0.0.1:@A@ retry=60\nProxySet maxattempts=1\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1"}}, {"request": {"path": "/1"}}]}`,
	"nofailover":                  `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@X@ route=x redirect=a\nBalancerMember http://127.0.0.1:@A@ route=a\nProxySet stickysession=S nofailover=On stickysessionsep=-\n</Proxy>\nProxyPass / balancer://c/\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/1", "headers": [["Cookie", "S=1-x"]]}}, {"request": {"path": "/1", "headers": [["Cookie", "S=1.x"]]}}, {"request": {"path": "/1", "headers": [["Cookie", "T=1; S=1-a"]]}}, {"request": {"path": "/1;S=1-a?S=1-x"}}]}`,
	"manager":                     `{"config": "<Proxy balancer://c>\nBalancerMember http://127.0.0.1:@A@ route=a status=+D\nBalancerMember http://127.0.0.1:@B@ route=b loadfactor=3 lbset=1\nProxySet nonce=n stickysession=S growth=3 timeout=2\n</Proxy>\n<Proxy balancer://d>\nBalancerMember ajp://127.0.0.1:@J@ redirect=x status=+H\nProxySet nonce=None nofailover=On\n</Proxy>\nBalancerInherit Off\nProxyPass /app balancer://c/app\nProxyPass /d balancer://d/\n<Location /bm>\nSetHandler balancer-manager\n</Location>\n", "backends": {"A": {}, "B": {}}, "steps": [{"request": {"path": "/bm?xml=1", "headers": [["Referer", "http://www.example/"]]}}, {"request": {"path": "/app/1"}}, {"request": {"path": "/bm?b=d&w=ajp://127.0.0.1:@J@&xml=1", "headers": [["Referer", "http://www.example/"]]}}, {"request": {"path": "/bm", "method": "POST", "body": "b=c&nonce=n&w=http://127.0.0.1:@A@&w_status_D=0&w_lf=7.5&w_wr=new&w_rr=&w_ls=4&xml=1", "headers": [["Referer", "http://www.example/"], ["Content-Type", "application/x-www-form-urlencoded"]]}}]}`,
	"limits":                      `{"config": "ProxyPass / http://127.0.0.1:@A@/ responsefieldsize=100\n", "backends": {"A": {"headers": [["X-L", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]]}}, "steps": [{"request": {"path": "/1"}}, {"set": {"A": {"headers": [["X-L", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]]}}}, {"request": {"path": "/1"}}]}`,
	"max forwards":                `{"config": "ProxyMaxForwards 5\nProxyPass / http://127.0.0.1:@A@/\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/1"}}, {"request": {"path": "/1", "headers": [["Max-Forwards", "3"]]}}, {"request": {"path": "/1", "method": "TRACE"}}, {"request": {"path": "*", "method": "OPTIONS"}}]}`,
	"vhosts":                      `{"config": "<VirtualHost *:@FRONT@>\nServerName one.example\nServerAlias *.one.example\nProxyPass / http://127.0.0.1:@A@/one/\n</VirtualHost>\n<VirtualHost 127.0.0.1:@FRONT@>\nServerName two.example:81\nServerAdmin me@two.example\nProxyPass /x http://127.0.0.1:@A@/two/\nProxyPass /y foo://h/\n</VirtualHost>\n", "backends": {"A": {}}, "steps": [{"request": {"path": "/x", "headers": [["Host", "one.example"]]}}, {"request": {"path": "/x", "headers": [["Host", "TWO.example."]]}}, {"request": {"path": "/y", "headers": [["Host", "two.example"]]}}]}`,
}

// meant are the cases that differ on purpose; docs/differences.md says why.
var meant = map[string]string{
	"raw 1":                       "a blank before the colon of a field",
	"raw 8":                       "two equal Content-Length fields",
	"ajp bodyfirst":               "a body before its headers",
	"error document of a backend": "the status of an ErrorDocument that a backend serves",
	"percent under NoDecode":      "a percent sign under AllowEncodedSlashes NoDecode",
}

const pairAJP = `<Proxy balancer://c>\nBalancerMember ajp://127.0.0.1:@J@ retry=60\nBalancerMember ajp://127.0.0.1:@K@ retry=60\n</Proxy>\nProxyPass / balancer://c/\n`

// onClowder starts what clowder run starts with a recorded configuration.
func onClowder(t *testing.T, v *vectors.Vector, port int) func(root, config string) (vectors.Front, error) {
	return func(root, config string) (vectors.Front, error) {
		file := filepath.Join(root, "httpd.conf")
		if err := os.WriteFile(file, []byte(v.Modules("modules")+config), 0o600); err != nil {
			return vectors.Front{}, err
		}
		r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
		if err != nil {
			return vectors.Front{}, err
		}
		running, err := runtime.Start(t.Context(), r.Setup, runtime.Options{MemberMax: 16})
		if err != nil {
			return vectors.Front{}, err
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			running.Stop(ctx)
		})
		return vectors.Front{Addr: fmt.Sprintf("127.0.0.1:%d", port)}, nil
	}
}

// TestBalancerAsHTTPD compares clowder with the real httpd on cases of our own.
func TestBalancerAsHTTPD(t *testing.T) {
	apache := Require(t, "apache2", "apt-get install apache2", apacheBin)
	for name, text := range balancerCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vectors.Vector{}
			if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "PAIRAJP", pairAJP)), v); err != nil {
				t.Fatal(err)
			}
			play := func(start func(port int) func(string, string) (vectors.Front, error)) []vectors.Observation {
				port := FreePorts(t, 1)[0]
				o, err := vectors.Record(t, v, port, start(port))
				if err != nil {
					t.Fatal(err)
				}
				return o
			}
			want := play(func(port int) func(string, string) (vectors.Front, error) { return onHTTPD(t, apache, v, port) })
			got := play(func(port int) func(string, string) (vectors.Front, error) { return onClowder(t, v, port) })
			equal := true
			for i := range want {
				w := strings.NewReplacer("Apache/2.4.71 (Debian)", "clowder", "Apache/2.4.71", "clowder").Replace(want[i].Text)
				if equal = equal && got[i].Text == w; got[i].Text != w && meant[name] == "" {
					t.Errorf("step %d:\n%s\nhttpd:\n%s\n%s", i, got[i].Text, w, strings.Join(want[i].Log, "\n"))
				}
			}
			if equal && meant[name] != "" {
				t.Errorf("equal, but docs/differences.md has: %s", meant[name])
			}
		})
	}
}
