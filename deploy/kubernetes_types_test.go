package deploy_test

import "time"

// These types have a field for each key that the manifest uses and no other, so
// that a misspelt key, or one nobody has thought about, does not decode.

type meta struct {
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels"`
}

type configMap struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   meta              `yaml:"metadata"`
	Data       map[string]string `yaml:"data"`
}

type pod struct {
	APIVersion string  `yaml:"apiVersion"`
	Kind       string  `yaml:"kind"`
	Metadata   meta    `yaml:"metadata"`
	Spec       podSpec `yaml:"spec"`
}

type podSpec struct {
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
	EnableServiceLinks           *bool `yaml:"enableServiceLinks"`
	TerminationGracePeriod       int   `yaml:"terminationGracePeriodSeconds"`
	SecurityContext              struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
		FSGroup      int  `yaml:"fsGroup"`
		Seccomp      struct {
			Type string `yaml:"type"`
		} `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	InitContainers []container `yaml:"initContainers"`
	Containers     []container `yaml:"containers"`
	Volumes        []volume    `yaml:"volumes"`
}

type container struct {
	Name            string   `yaml:"name"`
	Image           string   `yaml:"image"`
	RestartPolicy   string   `yaml:"restartPolicy"`
	Args            []string `yaml:"args"`
	Ports           []port   `yaml:"ports"`
	StartupProbe    *probe   `yaml:"startupProbe"`
	ReadinessProbe  *probe   `yaml:"readinessProbe"`
	SecurityContext struct {
		RunAsUser                int   `yaml:"runAsUser"`
		RunAsGroup               int   `yaml:"runAsGroup"`
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct {
			Drop []string `yaml:"drop"`
		} `yaml:"capabilities"`
	} `yaml:"securityContext"`
	Resources struct {
		Requests map[string]string `yaml:"requests"`
		Limits   map[string]string `yaml:"limits"`
	} `yaml:"resources"`
	Env                      []variable `yaml:"env"`
	TerminationMessagePolicy string     `yaml:"terminationMessagePolicy"`
	VolumeMounts             []mount    `yaml:"volumeMounts"`
}

type port struct {
	Name          string `yaml:"name"`
	ContainerPort int    `yaml:"containerPort"`
}

type probe struct {
	TCPSocket struct {
		Port string `yaml:"port"`
	} `yaml:"tcpSocket"`
	PeriodSeconds    int `yaml:"periodSeconds"`
	FailureThreshold int `yaml:"failureThreshold"`
}

type variable struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

type mount struct {
	Name      string `yaml:"name"`
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly"`
}

type volume struct {
	Name     string `yaml:"name"`
	EmptyDir *struct {
		Medium    string `yaml:"medium"`
		SizeLimit string `yaml:"sizeLimit"`
	} `yaml:"emptyDir"`
	ConfigMap *struct {
		Name string `yaml:"name"`
	} `yaml:"configMap"`
	Secret *struct {
		SecretName  string `yaml:"secretName"`
		DefaultMode int    `yaml:"defaultMode"`
	} `yaml:"secret"`
}

// guardConfig is the slabgate.yaml of the pod.
type guardConfig struct {
	Version   int `yaml:"version"`
	Listeners []struct {
		Name           string `yaml:"name"`
		Address        string `yaml:"address"`
		Transport      string `yaml:"transport"`
		MaxConnections int    `yaml:"max_connections"`
		TLS            struct {
			Cert       string `yaml:"cert"`
			Key        string `yaml:"key"`
			ClientCA   string `yaml:"client_ca"`
			ClientAuth string `yaml:"client_auth"`
		} `yaml:"tls"`
	} `yaml:"listeners"`
	Upstreams []struct {
		Name    string `yaml:"name"`
		Address string `yaml:"address"`
	} `yaml:"upstreams"`
	Policy   string `yaml:"policy"`
	Shutdown struct {
		AcceptFor time.Duration `yaml:"accept_for"`
		Grace     time.Duration `yaml:"grace"`
	} `yaml:"shutdown"`
	Log struct {
		Level  string `yaml:"level"`
		Format string `yaml:"format"`
	} `yaml:"log"`
}
