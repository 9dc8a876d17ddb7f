package deploy

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// manifest reads the documents of the manifest into Kubernetes' own types; a key that these do not have is an error.
func manifest(t *testing.T) (set appsv1.StatefulSet, service corev1.Service) {
	t.Helper()
	kinds := map[string]any{"StatefulSet": &set, "Service": &service}
	for document := range strings.SplitSeq(read(t, "kubernetes.yaml"), "\n---\n") {
		var head struct {
			Kind string `json:"kind"`
		}
		must(t, yaml.Unmarshal([]byte(document), &head))
		into, ok := kinds[head.Kind]
		if !ok {
			t.Fatalf("a second or unexpected %q", head.Kind)
		}
		must(t, yaml.UnmarshalStrict([]byte(document), into))
		delete(kinds, head.Kind)
	}
	if len(kinds) > 0 {
		t.Fatalf("missing: %v", kinds)
	}
	return set, service
}

func TestTheKubernetesManifestFitsTogether(t *testing.T) {
	set, service := manifest(t)
	pod, labels := set.Spec.Template.Spec, set.Spec.Template.Labels
	if set.APIVersion != "apps/v1" || service.APIVersion != "v1" || *set.Spec.Replicas != 1 || len(pod.Containers) != 1 {
		t.Errorf("not one bridge: %+v", set.Spec.Replicas)
	}
	for name, wanted := range map[string]map[string]string{"set": set.Spec.Selector.MatchLabels, "service": service.Spec.Selector} {
		for key, label := range wanted {
			if labels[key] != label {
				t.Errorf("the %s selects %s=%s, the pod has %q", name, key, label, labels[key])
			}
		}
	}
	if set.Spec.ServiceName != service.Name {
		t.Errorf("the set's service is %s", set.Spec.ServiceName)
	}
	// The start asks the homeserver to call back; a service that waits for readiness would make both wait for ever.
	if !service.Spec.PublishNotReadyAddresses {
		t.Error("the homeserver cannot reach the bridge while it starts")
	}

	c := pod.Containers[0]
	port := c.Ports[0]
	if served := service.Spec.Ports[0]; served.TargetPort.StrVal != port.Name || served.Port != port.ContainerPort || port.ContainerPort != 29390 {
		t.Errorf("the service's port %+v is not the container's %+v", served, port)
	}
	for address, probe := range map[string]*corev1.Probe{"live": c.LivenessProbe, "live ": c.StartupProbe, "ready": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet.Path != "/_matrix/mau/"+strings.TrimSpace(address) || probe.HTTPGet.Port.StrVal != port.Name {
			t.Errorf("the probe for %s is %+v", address, probe)
		}
	}
	if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || s.Capabilities.Drop[0] != "ALL" || !*pod.SecurityContext.RunAsNonRoot {
		t.Errorf("the container may do more than it needs: %+v", s)
	}
	places := map[string]bool{}
	for _, volume := range pod.Volumes {
		places[volume.Name] = true
	}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		places[claim.Name] = true
	}
	mounted := map[string]bool{}
	for _, mount := range c.VolumeMounts {
		if !places[mount.Name] {
			t.Errorf("nothing is there to mount as %s", mount.Name)
		}
		mounted[mount.MountPath] = mount.ReadOnly
	}
	if readOnly, ok := mounted["/config"]; !ok || !readOnly {
		t.Error("the configuration is not mounted read-only")
	}
	if readOnly, ok := mounted["/data"]; !ok || readOnly {
		t.Error("there is no place for the database")
	}
	if command := strings.Join(c.Command, " "); command != "/usr/bin/matrix-messenger -c /config/config.yaml --no-update" {
		t.Errorf("the container runs %q", command)
	}
	if *pod.TerminationGracePeriodSeconds < 40 {
		t.Errorf("the bridge gets %d s to end", *pod.TerminationGracePeriodSeconds)
	}
}
