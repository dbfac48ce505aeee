#!/usr/bin/perl
# One member of a replicated PostgreSQL: decides at each start what it is, runs the server, and answers for it.
#
#   no data            member 1 makes the cluster, if all others are empty too; any other copies the primary
#   standby.signal     follows whichever member is the primary
#   otherwise          it was the primary: it leads on, unless another member became the primary meanwhile
#
# What lost its place keeps its data and waits to be told: nothing is thrown away without being asked for.
#
# This process starts and watches. A second one answers on the status port, one more for each other member asks for its
# state: so nobody waits for anybody. They speak through small files in memory.

use strict;
use warnings;
use lib '/opt/lakewright';
use File::Basename qw(dirname);
use Members qw(@MEMBERS $SQL_PORT $STATUS_PORT capture secret signature slot state);
use POSIX qw(:sys_wait_h);
use Sys::Hostname qw(hostname);

my $SELF   = hostname();
my @OTHERS = grep { $_ ne $SELF } @MEMBERS;
my $FIRST  = $MEMBERS[0];
my $DATA   = $ENV{PGDATA};
# On the same volume, so that a rename is all or nothing.
my $NEW    = "$DATA.new";
my $OLD    = "$DATA.old";
# There while pg_rewind works: what it leaves half done must never be started.
my $TORN   = "$DATA.torn";
my $RUN    = '/tmp/member';
my $CONFIG = '/etc/postgresql/postgresql.conf';
# What was heard longer ago than so many seconds counts for nothing.
my $FRESH  = 10;

my @own = grep { $_ eq $SELF } @MEMBERS;
die "$SELF is none of the members: @MEMBERS\n" unless @own;

# For the health check: the process that watches is at work, whatever it waits for.
if (@ARGV && $ARGV[0] eq 'alive') {
    my ($word) = Members::state($SELF);
    exit($word eq 'unreachable' || $word eq 'silent' ? 1 : 0);
}

my ($bin) = map { dirname($_) } grep { -x } map { "$_/postgres" } split /:/, $ENV{PATH};
die "there is no program postgres in $ENV{PATH}\n" unless $bin;

my $stopping = 0;
my $server;      # process of the server, or of what prepares its data
my %helpers;     # process => what it does
my $said = '';

umask 077;
$| = 1;
$ENV{LC_ALL} = 'C';
delete @ENV{qw(PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD)};

sub say_so {
    my ($text) = @_;
    print STDERR "member $SELF: $text\n" if $text ne $said;
    $said = $text;
    return;
}

sub write_file {
    my ($path, $text) = @_;
    open my $file, '>', "$path.part" or die "$path: $!\n";
    print {$file} $text;
    close $file or die "$path: $!\n";
    rename "$path.part", $path or die "$path: $!\n";
    return;
}

sub read_fresh {
    my ($path, $seconds) = @_;
    open my $file, '<', $path or return;
    my $age  = time - (stat $file)[9];
    my $line = <$file> // '';
    close $file;
    return $age > $seconds ? undef : $line;
}

# The newest timeline that the data know of; history files are never removed.
sub timeline {
    opendir my $folder, "$DATA/pg_wal" or return 0;
    my @known = map { /\A([0-9A-F]{8})\.history\z/ ? hex $1 : () } readdir $folder;
    closedir $folder;
    return (sort { $a <=> $b } 1, @known)[-1];
}

my $state = '';

# Tells the answering process what to say. Repeated all the time: what is old is not believed.
sub be {
    my ($word) = @_;
    print STDERR "member $SELF: $word\n" if $word ne $state;
    $state = $word;
    write_file("$RUN/state", "$word " . timeline() . "\n");
    return;
}

# --- the processes that answer and ask ---

sub helper {
    my ($name, $work) = @_;
    my $child = fork // die "fork: $!\n";
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD);
        eval { $work->(); 1 } or print STDERR "member $SELF: $name: $@";
        POSIX::_exit(1);
    }
    $helpers{$child} = [$name, $work];
    return;
}

sub answer_all {
    my $listener = IO::Socket::INET->new(LocalPort => $STATUS_PORT, Listen => 64, ReuseAddr => 1)
        or die "port $STATUS_PORT: $!\n";
    $SIG{PIPE} = 'IGNORE';
    my %challenges;
    while (1) {
        my $client = $listener->accept or next;
        eval {
            local $SIG{ALRM} = sub { die "late\n" };
            alarm 3;
            my $text = '';
            while ($text !~ /\r?\n\r?\n/ && length $text < 8192) {
                sysread $client, $text, 4096, length $text or last;
            }
            my ($head, $body) = split /\r?\n\r?\n/, $text, 2;
            my ($length) = ($head // '') =~ /^content-length: *([0-9]+)/mi;
            $length = 4096 if ($length //= 0) > 4096;
            $body //= '';
            while (length $body < $length) {
                sysread $client, $body, 4096, length $body or last;
            }
            my ($method, $path) = ($head // '') =~ m{\A(GET|HEAD|OPTIONS|POST) (/[a-z]*)};
            my ($status, $said) = answer($method // '', $path // '', $body, \%challenges);
            my $size = length $said;
            print {$client} "HTTP/1.0 $status -\r\nContent-Type: text/plain\r\nContent-Length: $size\r\nConnection: close\r\n\r\n$said";
            alarm 0;
        };
        alarm 0;
        close $client;
    }
}

sub answer {
    my ($method, $path, $body, $challenges) = @_;
    if ($path eq '/command' && $method eq 'POST') {
        my ($given, $command) = $body =~ /\A([0-9a-f]{64}) ([a-z]+)\n\z/ or return (400, "not a command\n");
        my @valid = grep { time - $challenges->{$_} < 30 } keys %{$challenges};
        my @signed = grep { signature($_, $SELF, $command) eq $given } @valid;
        return (403, "the signature is wrong, or late\n") unless @signed;
        delete $challenges->{$signed[0]};
        write_file("$RUN/command", "$command\n");
        return (202, "told\n");
    }
    return (405, "not here\n") if $method eq 'POST';
    if ($path eq '/challenge') {
        open my $random, '<:raw', '/dev/urandom' or return (500, "no random numbers\n");
        read $random, my $bytes, 16;
        close $random;
        # Only the newest few are of any use to anybody.
        my @oldest = sort { $challenges->{$a} <=> $challenges->{$b} } keys %{$challenges};
        delete $challenges->{ shift @oldest } while @oldest > 31;
        my $challenge = unpack 'H*', $bytes;
        $challenges->{$challenge} = time;
        return (200, "$challenge\n");
    }
    my $line = read_fresh("$RUN/state", $FRESH) // "silent 0\n";
    return (200, $line) if $path eq '/';
    return ($line =~ /\Aprimary / ? 200 : 503, $line) if $path eq '/primary';
    return (404, "not here\n");
}

sub watch {
    my ($other) = @_;
    while (1) {
        my ($word, $timeline) = state($other);
        write_file("$RUN/heard.$other", "$word $timeline\n");
        sleep 1;
    }
}

# What another member said last: its state and its timeline.
sub heard {
    my ($other) = @_;
    my $line = read_fresh("$RUN/heard.$other", $FRESH) // '';
    return $line =~ /\A([a-z]+) ([0-9]+)$/m ? ($1, $2) : ('unreachable', 0);
}

sub others_that_are {
    my ($word) = @_;
    return grep { (heard($_))[0] eq $word } @OTHERS;
}

# Waits a moment, buries processes that ended, and starts those again that must not end.
sub pause {
    select undef, undef, undef, $_[0] // 0.5;
    while ((my $ended = waitpid -1, WNOHANG) > 0) {
        if (my $helper = delete $helpers{$ended}) {
            helper(@{$helper}) unless $stopping;
        }
        elsif (defined $server && $ended == $server) {
            $server = undef;
            write_file("$RUN/ended", $? . "\n");
        }
    }
    return;
}

sub command {
    my $line = read_fresh("$RUN/command", 60) // return '';
    unlink "$RUN/command";
    chomp $line;
    print STDERR "member $SELF: told to $line\n";
    return $line;
}

sub leave {
    my ($status) = @_;
    $stopping = 1;
    stop_server('INT');
    kill 'KILL', keys %helpers;
    exit $status;
}

# --- the server and the programs that prepare its data ---

sub launch {
    my (@words) = @_;
    unlink "$RUN/ended";
    my $child = fork // die "fork: $!\n";
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD);
        exec { $words[0] } @words or POSIX::_exit(127);
    }
    $server = $child;
    return;
}

sub stop_server {
    my ($signal) = @_;
    kill $signal, $server if defined $server;
    while (defined $server) {
        be('stopping');
        pause();
    }
    return;
}

# Runs a program to its end while the member stays in a state: whether it succeeded.
sub run {
    my ($word, @words) = @_;
    launch(@words);
    while (defined $server) {
        leave(0) if $stopping;
        be($word);
        pause();
    }
    return (read_fresh("$RUN/ended", 60) // 1) == 0;
}

sub remove {
    my (@folders) = grep { -e } @_;
    return unless @folders;
    run($state || 'empty', 'rm', '-rf', '--', @folders) or die "cannot remove @folders\n";
    return;
}

# Makes what was written outlast a loss of power, before it takes the data's place.
sub settle {
    run($state, 'sync', '--', $_) or die "sync $_\n" for @_;
    return;
}

sub conninfo {
    my ($more, @hosts) = @_;
    my $hosts = join ',', @hosts;
    my $ports = join ',', ($SQL_PORT) x @hosts;
    return "host=$hosts port=$ports user=replicator passfile=$RUN/passfile application_name=$SELF connect_timeout=5 "
        . "keepalives_idle=10 keepalives_interval=5 keepalives_count=3 $more";
}

sub settings {
    my $standbys = join ', ', map { qq{"$_"} } @OTHERS;
    return (
        '-c', "config_file=$CONFIG",
        '-c', 'hba_file=/etc/postgresql/pg_hba.conf',
        # Used by a standby only; the password is in neither.
        '-c', 'primary_conninfo=' . conninfo('target_session_attrs=read-write', @OTHERS),
        '-c', 'primary_slot_name=' . slot($SELF),
        $ENV{SYNCHRONOUS} eq 'on' ? ('-c', "synchronous_standby_names=ANY 1 ($standbys)") : (),
    );
}

sub psql {
    my ($input, @words) = @_;
    my @connect = ('--host=/var/run/postgresql', "--port=$SQL_PORT", '--username=postgres', '--dbname=postgres');
    return capture(20, $input, "$bin/psql", @connect, qw(--no-psqlrc --no-password --quiet --tuples-only --no-align), @words);
}

# 'primary', 'standby', or nothing while the server does not answer.
sub role {
    my ($failed, $text) = psql('/dev/null', '--command=SELECT pg_is_in_recovery()');
    return if $failed;
    return $text =~ /\Af$/m ? 'primary' : $text =~ /\At$/m ? 'standby' : undef;
}

sub make_passfile {
    my $password = secret($ENV{REPLICATOR_SECRET}) =~ s/([\\:])/\\$1/gr;
    write_file("$RUN/passfile", "*:*:*:replicator:$password\n");
    return;
}

# --- what the data are ---

sub initialise {
    say_so('no member has data: making the cluster');
    remove($NEW);
    my @words = ("$bin/initdb", "--pgdata=$NEW", '--username=postgres', "--pwfile=$ENV{POSTGRES_PASSWORD_FILE}");
    run('empty', @words, split ' ', $ENV{POSTGRES_INITDB_ARGS}) or return 0;
    return take_place();
}

sub copy {
    my ($primary) = @_;
    say_so("copying $primary");
    remove($NEW);
    my $source = '--dbname=' . conninfo('', $primary);
    my @how = ('--wal-method=stream', '--slot=' . slot($SELF), '--checkpoint=fast', '--no-password');
    if (!run('copying', "$bin/pg_basebackup", $source, "--pgdata=$NEW", @how)) {
        print STDERR "member $SELF: the copy failed, it will be tried again\n";
        pause(5);
        return 0;
    }
    write_file("$NEW/standby.signal", '');
    return take_place();
}

# A complete folder becomes the data; one that is not complete never has their name.
sub take_place {
    settle("$NEW/.", $NEW, dirname($NEW));
    rename $NEW, $DATA or die "$DATA: $!\n";
    settle(dirname($DATA));
    return 1;
}

# Without data: until there are some.
sub fill {
    remove($NEW, $OLD);
    until (-s "$DATA/PG_VERSION") {
        leave(0) if $stopping;
        be('empty');
        command();
        my ($primary) = others_that_are('primary');
        my @empty = others_that_are('empty');
        if (defined $primary) {
            copy($primary);
        }
        elsif ($SELF ne $FIRST) {
            say_so('waiting for a primary to copy');
        }
        elsif (@empty == @OTHERS) {
            initialise();
        }
        else {
            # An empty member 1 may be a new cluster, or one that lost its disk: only the others know.
            my @silent = others_that_are('unreachable');
            say_so(
                @silent
                ? "waiting for @silent: a first start needs every member once, and a lost disk must not become a second cluster"
                : 'other members have data, and none of them is the primary: promote one'
            );
        }
        pause();
    }
    return;
}

# Another member that takes writes, or knows of a later primary than this one.
sub outranked {
    my ($running) = @_;
    my $mine = timeline();
    for my $other (@OTHERS) {
        my ($word, $timeline) = heard($other);
        next unless $word =~ /\A(?:primary|standby|starting|waiting|stopping)\z/;
        return $other if $timeline > $mine;
        next unless $word eq 'primary' && $timeline == $mine;
        # Two of the same timeline: the one that leads goes on, of two that lead the one with the lower number.
        return $other if !$running || $other lt $SELF;
    }
    return;
}

# With the data of a primary: whether it may lead on. Waits until most members have been heard.
sub may_lead {
    while (1) {
        leave(0) if $stopping;
        be('starting');
        my @silent = (others_that_are('unreachable'), others_that_are('silent'));
        return 0 if outranked(0);
        return 1 if 2 * (@MEMBERS - @silent) > @MEMBERS;
        be('waiting');
        say_so("waiting for @silent, one of which may be the primary by now; if none is and none comes back, resume this one");
        if (command() eq 'resume') {
            return 1;
        }
        pause();
    }
}

# Was the primary, and is no more: until it is told what to do.
sub wait_for_word {
    my $torn = -e $TORN;
    while (1) {
        leave(0) if $stopping;
        be('replaced');
        say_so(
            $torn
            ? 'a rewind was broken off: only a new copy helps, see recopy'
            : 'another member became the primary: this one keeps its data and does not serve, see rejoin'
        );
        my $told = command();
        return rewind() if $told eq 'rejoin' && !$torn;
        return recopy() if $told eq 'recopy';
        pause();
    }
}

# Goes back to where the primary's history and its own part, and follows from there.
sub rewind {
    my ($primary) = others_that_are('primary');
    if (!defined $primary) {
        print STDERR "member $SELF: no primary answers, there is nothing to follow\n";
        return;
    }
    be('rewinding');
    # Its own log is replayed first, where it did not stop by itself.
    my (undef, $control) = capture(60, '/dev/null', "$bin/pg_controldata", "--pgdata=$DATA");
    if ($control !~ /^Database cluster state: +shut down/m && !-e "$DATA/standby.signal") {
        my @single = ("$bin/postgres", '--single', '-D', $DATA, settings(), 'template1');
        open STDIN, '<', '/dev/null' or die "$!\n";
        run('rewinding', @single) or return;
    }
    my @words = ("$bin/pg_rewind", "--target-pgdata=$DATA", '--source-server=' . conninfo('dbname=postgres', $primary), "--config-file=$CONFIG");
    # Tried without a change first: what fails then has changed nothing.
    if (!run('rewinding', @words, '--dry-run')) {
        print STDERR "member $SELF: it cannot be rewound; its data are as they were. A new copy replaces them: recopy\n";
        return;
    }
    write_file($TORN, '');
    settle(dirname($TORN));
    run('rewinding', @words) or return;
    write_file("$DATA/standby.signal", '');
    settle("$DATA/standby.signal", $DATA);
    unlink $TORN;
    return;
}

# Gives its data up for a copy of the primary.
sub recopy {
    my ($primary) = others_that_are('primary');
    if (!defined $primary) {
        print STDERR "member $SELF: no primary answers, there is nothing to copy\n";
        return;
    }
    remove($OLD);
    rename $DATA, $OLD or die "$DATA: $!\n";
    unlink $TORN;
    be('empty');
    remove($OLD);
    return;
}

# --- while the server runs ---

# What only a primary can do for the others: their role, and a slot for each.
sub provide {
    my $slots = join ' ', map { slot($_) } @OTHERS;
    my ($failed, $text) = psql($ENV{REPLICATOR_SECRET}, '--set', "slots=$slots", '--file=/opt/lakewright/replicator.sql');
    say_so("the role replicator is not ready: $text") if $failed;
    return !$failed;
}

# Slots from the time when this member was the primary keep files that nobody asks for.
sub tidy {
    my $slots = join ' ', map { slot($_) } @OTHERS;
    my $drop = 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots'
        . " WHERE slot_type = 'physical' AND NOT active AND slot_name = ANY (string_to_array('$slots', ' '))";
    my ($failed) = psql('/dev/null', "--command=$drop");
    return !$failed;
}

sub serve {
    # Left by a container that was killed; its number may be another process' by now. No other container has this volume.
    unlink "$DATA/postmaster.pid";
    launch("$bin/postgres", '-D', $DATA, settings());
    my ($provided, $tidied, $told, $asked, $role) = (0, 0, '', 0, undef);
    be('starting');
    # Certificates were renewed: the server reads them again.
    local $SIG{HUP} = sub { kill 'HUP', $server if defined $server };
    while (defined $server) {
        leave(0) if $stopping;
        if (time - $asked >= 2) {
            $role  = role();
            $asked = time;
        }
        my $by = ($role // '') eq 'primary' ? outranked(1) : undef;
        if (defined $by) {
            say_so("$by became the primary: this one stops taking writes");
            stop_server('INT');
            return;
        }
        be($role // 'starting');
        if (($role // '') eq 'primary') {
            # Again now and then: a slot that fell too far behind was lost, and is made anew.
            $provided = time if time - $provided > 60 && provide();
            $tidied = 0;
        }
        if (($role // '') eq 'standby') {
            $provided = 0;
            $tidied ||= tidy();
            $told = command();
            if ($told eq 'rejoin' || $told eq 'recopy') {
                stop_server('INT');
                $told eq 'rejoin' ? rewind() : recopy();
                return;
            }
        }
        pause();
    }
    # The engine starts the container again.
    my $status = read_fresh("$RUN/ended", 60) // 1;
    chomp $status;
    print STDERR "member $SELF: the server ended, status $status\n";
    leave(1);
    return;
}

mkdir $RUN;
unlink glob "$RUN/*";
make_passfile();
be('starting');
$SIG{$_} = sub { $stopping = 1 }
    for qw(INT TERM);
# What no server runs for reads them when it starts.
$SIG{HUP} = 'IGNORE';
helper('status port', \&answer_all);
for my $other (@OTHERS) {
    helper("watching $other", sub { watch($other) });
}
while (1) {
    leave(0) if $stopping;
    if (-e $TORN) {
        wait_for_word();
    }
    elsif (!-s "$DATA/PG_VERSION") {
        fill();
    }
    elsif (-e "$DATA/standby.signal" || may_lead()) {
        serve();
    }
    else {
        wait_for_word();
    }
    pause(1);
}
