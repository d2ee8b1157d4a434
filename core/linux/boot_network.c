/* A machine's static address, as the kernel's command line has it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/base/trace.h"
#include "core/linux/boot.h"
#include "core/linux/interface.h"
#include "core/linux/netlink.h"
#include "core/linux/uts.h"

/* client:server:gateway:netmask:hostname:device:autoconf:dns0:dns1:ntp0 */
enum { CLIENT, GATEWAY = 2, NETMASK, HOSTNAME, DEVICE, AUTOCONF, DNS0, DNS1, FIELDS = 10 };

static int parse_address(const char *text, unsigned char *bytes)
{
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 0;
    return fail_usage("kernel argument ip: '%s' is not an address", text);
}

/* text empty: that of the address's class, as the kernel guesses. */
static int parse_netmask(const char *text, const unsigned char *address, unsigned *prefix)
{
    unsigned char bytes[4];
    if (!*text) {
        *prefix = address[0] < 128 ? 8 : address[0] < 192 ? 16 : 24;
        return 0;
    }
    if (parse_address(text, bytes) < 0)
        return -EINVAL;
    uint32_t mask =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    for (*prefix = 0; *prefix < 32 && mask & 0x80000000U; mask <<= 1)
        ++*prefix;
    return mask == 0 ? 0 : fail_usage("kernel argument ip: '%s' is not a netmask", text);
}

static bool is_static(const char *autoconf)
{
    return !*autoconf || strcmp(autoconf, "off") == 0 || strcmp(autoconf, "none") == 0;
}

static int refuse_autoconf(const char *autoconf)
{
    int result =
        fail_usage("kernel argument ip: '%s' is not supported, only a static address", autoconf);
    error_hint("a kernel with CONFIG_IP_PNP does it by itself");
    return result;
}

static int copy_field(const char *what, const char *text, char *field, size_t size)
{
    if (strlen(text) >= size)
        return fail_usage("kernel argument ip: the %s '%s' is too long", what, text);
    memcpy(field, text, strlen(text) + 1);
    return 0;
}

int boot_read_ip(const char *text, struct boot_network *network)
{
    const char *fields[FIELDS];
    autofree char *copy = strdup(text);
    char *rest = copy;
    *network = (struct boot_network){0};
    if (!copy)
        return fail(ENOMEM, "cannot read the kernel argument ip");
    for (size_t i = 0; i < FIELDS; i++) {
        char *field = strsep(&rest, ":");
        fields[i] = field ? field : "";
    }
    if (rest)
        return fail_usage("kernel argument ip: '%s' has more than %d fields", text, FIELDS);
    if (!strchr(text, ':') && (*text < '0' || *text > '9'))
        return *text && is_static(text) ? 0 : refuse_autoconf(text);
    if (!is_static(fields[AUTOCONF]))
        return refuse_autoconf(fields[AUTOCONF]);
    network->address.family = network->gateway.family = AF_INET;
    network->has_gateway = *fields[GATEWAY];
    if (parse_address(fields[CLIENT], network->address.bytes) < 0 ||
        parse_netmask(fields[NETMASK], network->address.bytes, &network->address.prefix) < 0 ||
        (network->has_gateway && parse_address(fields[GATEWAY], network->gateway.bytes) < 0))
        return -EINVAL;
    for (int i = 0; i < 2; i++) {
        const char *server = fields[DNS0 + i];
        unsigned char bytes[4];
        if (*server && (parse_address(server, bytes) < 0 ||
                        copy_field("address", server, network->servers[i], 16) < 0))
            return -EINVAL;
    }
    if (copy_field("name", fields[HOSTNAME], network->hostname, sizeof(network->hostname)) < 0 ||
        copy_field("interface", fields[DEVICE], network->device, sizeof(network->device)) < 0)
        return -EINVAL;
    return 1;
}

static void take_first(void *context, const struct interface *interface)
{
    char *name = context;
    if (!*name && !(interface->flags & IFF_LOOPBACK))
        memcpy(name, interface->name, IFNAMSIZ);
}

static void ignore_address(void *context, const struct interface_address *address)
{
    (void)context;
    (void)address;
}

/* Is it there? Without a name, the first one that is not the loopback interface is taken. */
static bool find_interface(char *name)
{
    struct interface_visitor visitor = {take_first, ignore_address, name};
    if (*name)
        return if_nametoindex(name) > 0;
    autoclose int socket = interface_socket();
    return socket >= 0 && interface_list(socket, &visitor) == 0 && *name;
}

static int wait_for_interface(char *name, uint32_t seconds)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    step("wait for the interface %s", name);
    for (uint32_t left = seconds * 100; !find_interface(name); left--) {
        if (left == 0) {
            int result = fail(ENODEV, "interface %s did not come within %u s", name, seconds);
            error_hint("its modules: shimbox.modules=...");
            return result;
        }
        nanosleep(&moment, NULL);
    }
    return 0;
}

static int write_servers(const struct boot_network *network)
{
    autotext struct text text = {0};
    for (int i = 0; i < 2; i++)
        if (network->servers[i][0])
            text_append_format(&text, "nameserver %s\n", network->servers[i]);
    if (!text.length || access("/etc/resolv.conf", F_OK) == 0)
        return 0;
    if (mkdir("/etc", 0755) < 0 && errno != EEXIST)
        return fail(errno, "cannot make /etc");
    return create_file("/etc/resolv.conf", 0644, text.data, text.length);
}

int boot_set_network(const char *ip, uint32_t seconds)
{
    struct boot_network network;
    struct netlink netlink;
    /* The kernel has it from CONFIG_IP_PNP, and has done all that by itself. */
    if (access("/proc/net/pnp", F_OK) == 0)
        return 0;
    int result = boot_read_ip(ip, &network);
    if (result <= 0)
        return result;
    result = wait_for_interface(network.device, seconds);
    if (result == 0 && network.hostname[0])
        result = uts_set_hostname(network.hostname);
    if (result < 0 || (result = netlink_open(&netlink)) < 0)
        return result;
    result = network_set_up(&netlink, network.device);
    if (result == 0)
        result = network_add_address(&netlink, network.device, &network.address);
    if (result == 0 && network.has_gateway)
        result = network_add_gateway(&netlink, &network.gateway);
    netlink_close(&netlink);
    return result < 0 ? result : write_servers(&network);
}
