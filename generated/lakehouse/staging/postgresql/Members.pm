package Members;

# What the members of a replicated PostgreSQL, and the jobs that tell them what to do, have in common: who they are, how one
# is asked for its state, and how one is told a command. Every member answers HTTP on its status port:
#
#   GET  /           its state as a word, and its timeline: "standby 2"
#   GET  /primary    200 on the one member that may take writes, 503 on the others
#   GET  /challenge  a number that is used once
#   POST /command    a command, signed with the secret of the role replicator over the number and the member's name
#
# Nothing secret is sent, and only the members' peers reach the port.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use Exporter qw(import);
use IO::Socket::INET;

our @EXPORT_OK = qw(@MEMBERS $SQL_PORT $STATUS_PORT ask capture secret signature slot state tell);

# Where there is an authority nobody is taken for another member without its certificate.
@ENV{qw(PGSSLMODE PGSSLMINPROTOCOLVERSION)} = qw(verify-full TLSv1.3) if $ENV{PGSSLROOTCERT};

our @MEMBERS     = split ' ', $ENV{MEMBERS};
our $SQL_PORT    = $ENV{PGPORT};
our $STATUS_PORT = $ENV{STATUS_PORT};

# A member that is gone has no name any more; nobody waits longer than this for the answer.
$ENV{RES_OPTIONS} = 'timeout:2 attempts:1';

# The first line of a file.
sub secret {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    my $line = <$file> // '';
    close $file;
    chomp $line;
    return $line;
}

# The replication slot of a member: names of slots have no hyphens.
sub slot {
    my ($member) = @_;
    return $member =~ tr/-/_/r;
}

sub signature {
    my ($challenge, $member, $command) = @_;
    return hmac_sha256_hex("$challenge $member $command", secret($ENV{REPLICATOR_SECRET}));
}

# Sends one request: status and body of the answer, or nothing when there is none within five seconds.
sub ask {
    my ($member, $method, $path, $body) = @_;
    $body //= '';
    my @answer;
    my $done = eval {
        local $SIG{ALRM} = sub { die "late\n" };
        alarm 5;
        my $socket = IO::Socket::INET->new(PeerAddr => $member, PeerPort => $STATUS_PORT, Timeout => 3);
        if ($socket) {
            local $SIG{PIPE} = 'IGNORE';
            print {$socket} "$method $path HTTP/1.0\r\nHost: $member\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
            $socket->flush;
            my $text = '';
            1 while length $text < 65536 && sysread $socket, $text, 4096, length $text;
            @answer = ($1, $2) if $text =~ m{\AHTTP/1\.[01] ([0-9]{3}).*?\r\n\r\n(.*)\z}s;
        }
        alarm 0;
        1;
    };
    alarm 0;
    return $done ? @answer : ();
}

# The state of a member and its timeline: ('unreachable', 0) when it does not answer.
sub state {
    my ($member) = @_;
    my ($status, $body) = ask($member, 'GET', '/');
    return defined $status && $body =~ /\A([a-z]+) ([0-9]+)$/m ? ($1, $2) : ('unreachable', 0);
}

# Tells a member a command. Nothing when it was taken, otherwise the reason why not.
sub tell {
    my ($member, $command) = @_;
    my ($status, $challenge) = ask($member, 'GET', '/challenge');
    return "$member does not answer\n" unless defined $status && $status == 200;
    chomp $challenge;
    ($status, my $body) = ask($member, 'POST', '/command', signature($challenge, $member, $command) . " $command\n");
    return "$member does not answer\n" unless defined $status;
    return $status == 202 ? undef : $body;
}

# Runs a program and returns its exit status and what it printed; it is killed when it takes longer than so many seconds.
sub capture {
    my ($seconds, $input, @words) = @_;
    my $child = open(my $pipe, '-|') // die "fork: $!\n";
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM CHLD);
        open STDIN,  '<',  $input   or die "$input: $!\n";
        open STDERR, '>&', \*STDOUT or die "$!\n";
        exec { $words[0] } @words or exit 127;
    }
    my $text = '';
    my $till = time + $seconds;
    while (1) {
        my $ready = '';
        vec($ready, fileno $pipe, 1) = 1;
        my $left = $till - time;
        last if $left <= 0;
        next if select($ready, undef, undef, $left) < 1;
        my $got = sysread $pipe, $text, 65536, length $text;
        last if defined $got && $got == 0;
    }
    kill 'KILL', $child if time >= $till;
    close $pipe;
    return ($?, $text);
}

1;
