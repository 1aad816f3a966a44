#ifndef CLINUXNET_H
#define CLINUXNET_H

#include "CLinuxNet_netlink.h"
#include "CLinuxNet_nftables.h"
#endif
