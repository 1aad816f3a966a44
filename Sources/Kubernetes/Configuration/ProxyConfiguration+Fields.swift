extension ProxyConfiguration {
    /// Every field of `KubeProxyConfiguration` v1alpha1, of old releases too (`kubernetes/kubernetes`,
    /// `staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go`). Those that `read` does not look at are kube-proxy's own
    /// business: its metrics, its connection to the API server, the kernel's connection tracking, Windows.
    static var shape: FieldShape {
        .fields([
            "apiVersion": .any, "kind": .any, "bindAddress": .any, "bindAddressHardFail": .any,
            "clientConnection": shape(of: ["acceptContentTypes", "burst", "contentType", "kubeconfig", "qps"]),
            "clusterCIDR": .any, "configSyncPeriod": .any,
            "conntrack": shape(of: [
                "max", "maxPerCore", "min", "tcpBeLiberal", "tcpCloseWaitTimeout", "tcpEstablishedTimeout",
                "udpStreamTimeout", "udpTimeout",
            ]),
            "detectLocal": shape(of: ["bridgeInterface", "interfaceNamePrefix"]), "detectLocalMode": .any,
            "enableProfiling": .any, "featureGates": .any, "healthzBindAddress": .any, "hostnameOverride": .any,
            "iptables": shape(of: [
                "localhostNodePorts", "masqueradeAll", "masqueradeBit", "minSyncPeriod", "syncPeriod",
            ]),
            "ipvs": shape(of: [
                "excludeCIDRs", "minSyncPeriod", "scheduler", "strictARP", "syncPeriod", "tcpFinTimeout", "tcpTimeout",
                "udpTimeout",
            ]),
            "logging": .any, "metricsBindAddress": .any, "mode": .any,
            "nftables": shape(of: ["masqueradeAll", "masqueradeBit", "minSyncPeriod", "syncPeriod"]),
            "nodePortAddresses": .any, "oomScoreAdj": .any, "portRange": .any, "resourceContainer": .any,
            "showHiddenMetricsForVersion": .any, "udpIdleTimeout": .any, "windowsRunAsService": .any,
            "winkernel": shape(of: [
                "enableDSR", "forwardHealthCheckVip", "networkName", "rootHnsEndpointName", "sourceVip",
            ]),
        ])
    }

    private static func shape(of names: [String]) -> FieldShape {
        .fields(Dictionary(uniqueKeysWithValues: names.map { ($0, .any) }))
    }
}
