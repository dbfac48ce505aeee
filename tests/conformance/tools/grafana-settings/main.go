// Reads Grafana's settings with the libraries that Grafana reads them with, and says what they mean.
//
//	grafana-settings ini FILE SECTION KEY      the value of a key
//	grafana-settings ldap FILE                 ldap.toml as JSON, variables filled in; unknown keys are an error
//	grafana-settings role PATH <CLAIMS         what a role_attribute_path gives for claims in JSON, as JSON
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/jmespath-community/go-jmespath"
	"gopkg.in/ini.v1"
)

type mapping struct {
	GroupDN      string `toml:"group_dn"`
	OrgRole      string `toml:"org_role"`
	GrafanaAdmin *bool  `toml:"grafana_admin"`
}

type server struct {
	Host          string            `toml:"host"`
	Port          int               `toml:"port"`
	UseSSL        bool              `toml:"use_ssl"`
	StartTLS      bool              `toml:"start_tls"`
	SkipVerifySSL bool              `toml:"ssl_skip_verify"`
	MinTLSVersion string            `toml:"min_tls_version"`
	RootCACert    string            `toml:"root_ca_cert"`
	BindDN        string            `toml:"bind_dn"`
	BindPassword  string            `toml:"bind_password"`
	Timeout       int               `toml:"timeout"`
	SearchFilter  string            `toml:"search_filter"`
	SearchBaseDNs []string          `toml:"search_base_dns"`
	Attributes    map[string]string `toml:"attributes"`
	Groups        []mapping         `toml:"group_mappings"`
}

type settings struct {
	Servers []server `toml:"servers"`
}

// Variables as Grafana writes them: of the environment, and contents of files without white space around them.
var variable = regexp.MustCompile(`\$(|__\w+){([^}]+)}`)

func filled(text string) (string, error) {
	var failed error
	text = variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		if parts[1] != "__file" {
			return os.Getenv(parts[2])
		}
		content, err := os.ReadFile(os.Getenv("ROOT") + parts[2])
		if err != nil {
			failed = err
		}
		return strings.TrimSpace(string(content))
	})
	return text, failed
}

func run(words []string) (any, error) {
	switch words[0] {
	case "ini":
		file, err := ini.Load(words[1])
		if err != nil {
			return nil, err
		}
		return filled(file.Section(words[2]).Key(words[3]).String())
	case "ldap":
		content, err := os.ReadFile(words[1])
		if err != nil {
			return nil, err
		}
		text, err := filled(string(content))
		if err != nil {
			return nil, err
		}
		var read settings
		known, err := toml.Decode(text, &read)
		if err == nil && len(known.Undecoded()) > 0 {
			err = fmt.Errorf("unknown keys: %v", known.Undecoded())
		}
		return read, err
	case "role":
		var claims any
		if err := json.NewDecoder(os.Stdin).Decode(&claims); err != nil {
			return nil, err
		}
		return jmespath.Search(words[1], claims)
	}
	return nil, fmt.Errorf("what is %s?", words[0])
}

func main() {
	said, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(said)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
