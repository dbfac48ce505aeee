module lakewright.test/conformance/grafana-settings

go 1.25.0

require (
	github.com/BurntSushi/toml v1.5.0
	github.com/jmespath-community/go-jmespath v1.1.1
	gopkg.in/ini.v1 v1.67.0
)

require golang.org/x/exp v0.0.0-20230314191032-db074128a8ec // indirect
