import Balancer

/// What `-h` and `--version` print.
enum HelpText {
    /// The line by which scripts know the tool.
    static let version = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"

    /// Every command and option, in a screen or two; the schedulers are the registry's.
    static let help =
        version + """
            The rules of this network namespace's Fairlead, in ipvsadm's grammar.

            Services (virtual servers)
              ipvsadm -A SERVICE [-s SCHEDULER] [-p [SECONDS]] [-M MASK] [-b FLAGS] [-o]
                                            add one
              ipvsadm -E SERVICE ...        change one; what is not given returns to its default
              ipvsadm -D SERVICE            delete one with its servers
              ipvsadm -C                    delete all
            Servers (real servers of a service)
              ipvsadm -a SERVICE -r SERVER [-m|-g|-i|--fullnat] [-w WEIGHT] [-x UPPER] [-y LOWER] [TUNNEL]
                                            add one
              ipvsadm -e SERVICE -r SERVER ...   change one
              ipvsadm -d SERVICE -r SERVER       delete one
            Local addresses (what FULLNAT servers see as the client, of a service)
              ipvsadm --add-laddr, -P SERVICE -z LOCAL    add one to the pool, before the servers
              ipvsadm --del-laddr, -Q SERVICE -z LOCAL    take one out; connections that use it go on
              ipvsadm --get-laddr, -G SERVICE    list them; --get-laddr alone: of all services
            Listing
              ipvsadm [-L] [SERVICE] [-n] [--stats|--rate|--thresholds|--persistent-conn|--tun-info]
                      [--exact] [--nosort]
              ipvsadm -L -c [-n]            connections
              ipvsadm -L --timeout          timeouts
              ipvsadm -L --daemon           state of the sync daemon
              ipvsadm -Z [SERVICE]          counters to zero
            All rules
              ipvsadm -S [-n] [--thresholds]     write them to standard output
              ipvsadm -R                    read them from standard input, a line an invocation
            Timeouts and synchronisation
              ipvsadm --set TCP TCPFIN UDP  seconds; 0 keeps a value
              ipvsadm --start-daemon master|backup [--mcast-interface IF] [--syncid N] ...
              ipvsadm --stop-daemon master|backup

            SERVICE
              -t, --tcp-service HOST[:PORT]      -u, --udp-service HOST[:PORT]
              --sctp-service HOST[:PORT]         -f, --fwmark-service MARK [-6, --ipv6]
            Options
              -s, --scheduler NAME     \(SchedulerKind.allCases.map(\.name).joined(separator: " "));
                                       wlc unless given
              -p, --persistent [SEC]   a client stays with its server (360 s)
              -M, --netmask MASK       what counts as one client (IPv6: a prefix length)
              --pe ENGINE              persistence engine
              -b, --sched-flags LIST   sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3
              -o, --ops                every datagram is scheduled anew (UDP)
              --source-rate N[/s|/m|/h][,burst=N][,prefix=N]
                                       new connections that one source may open
              --conn-timeout TCP[,TCPFIN,UDP]
                                       seconds, as --set for this service; 0 leaves that one to it
              --table-size N           places of maglev's table
              -r, --real-server HOST[:PORT]
              -m, --masquerading  -g, --gatewaying (unless given)  -i, --ipip
                                       NAT, direct routing, tunnel
              --fullnat (-b where no value follows)
                                       NAT of both ends: servers answer to a local address
              -z, --laddr ADDRESS      a local address; -F, --ifname IF is taken and not needed
              --toa                    of a service: FULLNAT servers get the client's address as a TCP option
              --proxy-protocol v2|disable   the same in a PROXY protocol header before the first bytes
              -w, --weight N           1 unless given; 0 lets connections run out
              -x, --u-threshold N      no new connections at this many; 0: no limit
              -y, --l-threshold N      new ones again below this many
              --tun-type ipip|gue|gre  --tun-port N  --tun-nocsum|--tun-csum|--tun-remcsum
              -n, --numeric            numbers instead of names
              -h, --help  --version
            Long names of the commands: --add-service --edit-service --delete-service --clear
            --add-server --edit-server --delete-server --list --zero --save --restore

            """
}
