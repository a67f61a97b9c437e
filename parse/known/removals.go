package known

import "strings"

// Removal says since when a class of Tomcat is gone and what to do.
type Removal struct {
	Since string // version from which on it is gone, such as "8.0"

	// New is the class that replaces it: a simple name in the same package or a
	// full name; "" when the element is to be deleted, "-" when there is no
	// replacement that an edit could write.
	New     string
	Instead string // what to do, as a person would say it

	// Branches are the releases of a branch that lost it between two minor
	// versions, by major version.
	Branches map[string]string
}

var removals = map[string]Removal{
	"ServerLifecycleListener":         {Since: "7.0", Instead: "delete the element, nothing is needed instead"},
	"JasperListener":                  {Since: "8.0", Instead: "delete the element, nothing is needed instead"},
	"JvmRouteSessionIDBinderListener": {Since: "8.0", Instead: "delete the element, JvmRouteBinderValve does it alone"},
	"MessageDispatch15Interceptor":    {Since: "8.0", New: "MessageDispatchInterceptor", Instead: "write MessageDispatchInterceptor"},
	"VirtualWebappLoader":             {Since: "8.0", New: "-", Instead: "use <Resources> with PreResources or JarResources"},
	"VirtualDirContext":               {Since: "8.0", New: "-", Instead: "use <Resources> with PreResources or PostResources"},
	"JmxRemoteLifecycleListener":      {Since: "10.0", New: "-", Instead: "set the JMX ports by the system properties of the JDK", Branches: map[string]string{"8": "8.5.75", "9": "9.0.58"}},
	"Http11Protocol":                  {Since: "9.0", New: "Http11NioProtocol", Instead: "write Http11NioProtocol"},
	"AjpProtocol":                     {Since: "9.0", New: "AjpNioProtocol", Instead: "write AjpNioProtocol"},
	"JDBCRealm":                       {Since: "10.0", New: "-", Instead: "use DataSourceRealm"},
	"JDBCStore":                       {Since: "10.0", New: "-", Instead: "use DataSourceStore"},
	"BioReceiver":                     {Since: "10.0", New: "org.apache.catalina.tribes.transport.nio.NioReceiver", Instead: "use org.apache.catalina.tribes.transport.nio.NioReceiver"},
	"PooledMultiSender":               {Since: "10.0", New: "org.apache.catalina.tribes.transport.nio.PooledParallelSender", Instead: "use org.apache.catalina.tribes.transport.nio.PooledParallelSender"},
	"Http11AprProtocol":               {Since: "10.1", New: "Http11NioProtocol", Instead: "write Http11NioProtocol"},
	"AjpAprProtocol":                  {Since: "10.1", New: "AjpNioProtocol", Instead: "write AjpNioProtocol"},
	"LegacyCookieProcessor":           {Since: "10.1", New: "-", Instead: "use Rfc6265CookieProcessor, the default"},
}

// ListedRemoval returns what is known about a class by its simple name, whoever
// made it.
func ListedRemoval(simple string) (Removal, bool) {
	r, ok := removals[simple]
	return r, ok
}

// RemovalOf finds what is known about a class of Tomcat that is gone in some
// version: a list, else the classes of the branches.
func RemovalOf(class string) (Removal, bool) {
	if !TomcatOwn(class) {
		return Removal{}, false
	}
	if r, ok := removals[class[strings.LastIndexByte(class, '.')+1:]]; ok {
		return r, true
	}
	info, ok := Class(class)
	if !ok || info.Versions&T11 != 0 {
		return Removal{}, false
	}
	since := ""
	for _, b := range []struct {
		bit     Tomcat
		version string
	}{{T11, "11.0"}, {T101, "10.1"}, {T9, "9.0"}, {T85, "8.5"}} {
		if info.Versions&b.bit != 0 {
			break
		}
		since = b.version
	}
	return Removal{Since: since, New: "-", Instead: "it has no successor of that name"}, true
}

// TomcatOwn reports whether the class lies in a package of Tomcat; classes of
// other people may share a simple name.
func TomcatOwn(class string) bool {
	for _, prefix := range []string{"org.apache.catalina.", "org.apache.coyote.", "org.apache.naming.", "org.apache.tomcat."} {
		if len(class) > len(prefix) && class[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}
