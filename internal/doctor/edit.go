package doctor

import (
	"fmt"

	"github.com/slabgate/slabgate/internal/host"
)

// replaceAddress puts another address into slabgate's configuration.
func replaceAddress(subject *host.Subject, old, with string) Fix {
	return Fix{Commands: []string{
		fmt.Sprintf(`sed -i.bak -E "s|(address: *[\"']?)%s|\1%s|" %s`, literal(old), with, quote(subject.Path)),
		"slabgate check --config " + quote(subject.Path),
		"systemctl restart slabgate",
	}}
}
