#!/usr/bin/perl
# Jobs for those who run a replicated PostgreSQL: `status`, `promote [MEMBER]`, `rejoin [MEMBER]`, `recopy [MEMBER]`,
# `resume [MEMBER]`. Each may run any number of times; what is already so stays so.

use strict;
use warnings;
use lib '/opt/lakewright';
use Members qw(@MEMBERS $SQL_PORT capture secret state tell);

my ($task, $member) = @ARGV;
my %tasks = (status => \&status, promote => \&promote, rejoin => \&rejoin, recopy => \&rejoin, resume => \&resume);
die "usage: status | promote [MEMBER] | rejoin [MEMBER] | recopy [MEMBER] | resume [MEMBER]\n" unless $task && $tasks{$task};
my @known = grep { !defined $member || $_ eq $member } @MEMBERS;
die "$member is none of the members: @MEMBERS\n" unless @known;

umask 077;
$| = 1;
$ENV{PGPASSFILE} = '/tmp/pgpass';
open my $passfile, '>', $ENV{PGPASSFILE} or die "$ENV{PGPASSFILE}: $!\n";
print {$passfile} '*:*:*:postgres:', secret($ENV{SUPERUSER_SECRET}) =~ s/([\\:])/\\$1/gr, "\n";
close $passfile;

exit $tasks{$task}->();

# Every member's state and timeline, heard now.
sub survey {
    my %found;
    for my $one (@MEMBERS) {
        my ($word, $timeline) = state($one);
        $found{$one} = { state => $word, timeline => $timeline };
    }
    return \%found;
}

sub with_state {
    my ($found, $word) = @_;
    return grep { $found->{$_}{state} eq $word } @MEMBERS;
}

# The rows that a member's server answers, or nothing.
sub rows {
    my ($one, $query, $seconds) = @_;
    my @connect = ("--host=$one", "--port=$SQL_PORT", '--username=postgres', '--dbname=postgres');
    my @how     = qw(--no-psqlrc --no-password --quiet --tuples-only --no-align --field-separator=|);
    $ENV{PGCONNECT_TIMEOUT} = 5;
    my ($failed, $text) = capture($seconds // 20, '/dev/null', 'psql', @connect, @how, "--command=$query");
    chomp $text;
    print STDERR "$one: $text\n" if $failed;
    return $failed ? () : map { [split /\|/, $_, -1] } split /\n/, $text;
}

sub show {
    my ($found) = @_;
    printf "%-30s %-12s timeline %d\n", $_, $found->{$_}{state}, $found->{$_}{timeline} for @MEMBERS;
    return;
}

# Waits until something is so, and shows how the states change meanwhile.
sub wait_until {
    my ($seconds, $so) = @_;
    my $till  = time + $seconds;
    my $shown = '';
    while (1) {
        my $found = survey();
        my $now   = join ', ', map { "$_ $found->{$_}{state}" } @MEMBERS;
        print "$now\n" if $now ne $shown;
        $shown = $now;
        my $answer = $so->($found);
        return $answer if defined $answer;
        return if time >= $till;
        sleep 1;
    }
}

# Exit status 0: one primary, and every other member follows it.
sub status {
    my $found = survey();
    show($found);
    my @primaries = with_state($found, 'primary');
    if (!@primaries) {
        print "no member is the primary: nothing can be written. See promote, or resume when one waits\n";
        return 1;
    }
    my $query = q{SELECT application_name, state, sync_state,
        pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), coalesce(extract(epoch FROM replay_lag)::numeric(12,1), 0)
        FROM pg_stat_replication ORDER BY 1};
    my %follows;
    for my $row (rows($primaries[0], $query)) {
        my ($name, $how, $sync, $bytes, $seconds) = @{$row};
        print "$name follows $primaries[0]: $how, $sync, $bytes and $seconds s behind\n";
        $follows{$name} = 1 if $how eq 'streaming';
    }
    my @missing = grep { $_ ne $primaries[0] && !$follows{$_} } @MEMBERS;
    print "not following: @missing\n" if @missing;
    return @missing ? 1 : 0;
}

# How far a standby has got: timeline and bytes of the log, whether replayed, and the time of the last change it knows.
sub position {
    my ($one) = @_;
    my $query = q{SELECT pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0'),
        pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), pg_last_wal_replay_lsn()),
        coalesce(pg_last_xact_replay_timestamp()::timestamptz(0)::text, 'unknown')};
    my ($row) = rows($one, $query);
    return $row;
}

sub promote {
    # Who was stopped a moment ago may still be thought to be there.
    my $found = wait_until(20, sub {
        my ($now) = @_;
        my @leading = grep { $_ ne ($member // '') } with_state($now, 'primary'), with_state($now, 'stopping');
        return @leading ? undef : $now;
    }) // survey();
    my @primaries = with_state($found, 'primary');
    if (@primaries) {
        print "@primaries is the primary: nothing was promoted. Stop it first to put another in its place\n";
        return @primaries == 1 && (!defined $member || $primaries[0] eq $member) ? 0 : 1;
    }
    my @standbys = with_state($found, 'standby');
    my %position = map { my $row = position($_); $row ? ($_ => $row) : () } @standbys;
    my ($best) = sort {
        $found->{$b}{timeline} <=> $found->{$a}{timeline} || $position{$b}[0] <=> $position{$a}[0] || $a cmp $b
    } keys %position;
    if (!defined $best) {
        print "no standby answers\n";
        return 1;
    }
    my $chosen = $member // $best;
    if (!$position{$chosen}) {
        print "$chosen is no standby that answers: $found->{$chosen}{state}\n";
        return 1;
    }
    for my $one (sort keys %position) {
        print "$one: timeline $found->{$one}{timeline}, $position{$one}[0] bytes of log, $position{$one}[1] not yet replayed, last change of $position{$one}[2]\n";
    }
    if ($found->{$chosen}{timeline} < $found->{$best}{timeline} || $position{$chosen}[0] < $position{$best}[0]) {
        print "$best has more than $chosen: promote that one, nothing that it has may be lost\n";
        return 1;
    }
    print "promoting $chosen\n";
    my ($row) = rows($chosen, 'SELECT pg_promote(wait => true, wait_seconds => 120)', 150);
    if (!$row || $row->[0] ne 't') {
        print "$chosen was not promoted within two minutes: see its log\n";
        return 1;
    }
    my $done = wait_until(60, sub { $_[0]{$chosen}{state} eq 'primary' ? 1 : undef });
    if (!$done) {
        print "$chosen is not ready to take writes: see its log\n";
        return 1;
    }
    my @left = grep { $_ ne $chosen && $found->{$_}{state} ne 'standby' } @MEMBERS;
    print "$chosen is the primary. Until another member follows it nothing stands in for it.\n";
    print "Next, when it can run again: rejoin $_\n" for @left;
    return 0;
}

# rejoin and recopy: a member that is to follow the primary again.
sub rejoin {
    my $found = wait_until(60, sub {
        my ($now) = @_;
        my @all = defined $member ? ($member) : @MEMBERS;
        return if grep { $now->{$_}{state} =~ /\A(?:starting|silent|unreachable)\z/ } @all;
        return with_state($now, 'primary') ? $now : undef;
    }) // survey();
    if (!with_state($found, 'primary')) {
        print "no member is the primary: there is nothing to follow\n";
        return 1;
    }
    my $failed = 0;
    for my $one (defined $member ? ($member) : with_state($found, 'replaced')) {
        my $now = $found->{$one}{state};
        if ($now eq 'primary') {
            print "$one is the primary: it follows nobody\n";
            $failed = 1;
            next;
        }
        if ($now eq 'standby' && $task eq 'rejoin' && follows($one)) {
            print "$one follows already\n";
            next;
        }
        # What has no data copies the primary by itself.
        my $by_itself = $now =~ /\A(?:empty|copying|rewinding)\z/;
        if (!$by_itself && $now ne 'replaced' && $now ne 'standby') {
            print "$one is $now: only one that is replaced, or a standby that has lost its way, can be told\n";
            $failed = 1;
            next;
        }
        $failed = 1 unless follow($one, $by_itself);
    }
    my @still = grep { $found->{$_}{state} !~ /\A(?:primary|standby|replaced)\z/ } @MEMBERS;
    print "left alone: $_, which is $found->{$_}{state}\n" for defined $member ? () : @still;
    return $failed;
}

sub follows {
    my ($one) = @_;
    my ($primary) = with_state(survey(), 'primary');
    return unless defined $primary;
    my ($row) = rows($primary, "SELECT count(*) FROM pg_stat_replication WHERE application_name = '$one' AND state = 'streaming'");
    return $row && $row->[0] > 0;
}

sub follow {
    my ($one, $by_itself) = @_;
    if (!$by_itself && defined(my $refused = tell($one, $task))) {
        print "$one: $refused";
        return 0;
    }
    # It must have been seen at work before its state says how it went.
    my $busy  = $by_itself;
    my $told  = time;
    my $state = wait_until(86400, sub {
        my $now = $_[0]{$one}{state};
        $busy = 1 if $now =~ /\A(?:rewinding|copying|empty|stopping)\z/;
        return if !$busy && time - $told < 20;
        return $now if $now eq 'replaced' || ($now eq 'standby' && follows($one));
        return;
    });
    if (($state // '') eq 'standby') {
        print "$one follows the primary\n";
        return 1;
    }
    print "$one did not come back; its log says why. Where it cannot be rewound, a new copy replaces its data: recopy\n";
    return 0;
}

# The data of a primary, and most members do not answer: whoever runs the platform knows that they are gone.
sub resume {
    my $found = survey();
    if (my @primaries = with_state($found, 'primary')) {
        print "@primaries is the primary: nothing waits for you\n";
        return 0;
    }
    my @waiting = grep { $found->{$_}{state} eq 'waiting' } @known;
    if (@waiting != 1) {
        show($found);
        print @waiting ? "name one of them: @waiting\n" : "no member waits for the others\n";
        return 1;
    }
    if (defined(my $refused = tell($waiting[0], 'resume'))) {
        print "$waiting[0]: $refused";
        return 1;
    }
    if (!wait_until(300, sub { $_[0]{ $waiting[0] }{state} eq 'primary' ? 1 : undef })) {
        print "$waiting[0] is not ready to take writes: see its log\n";
        return 1;
    }
    print "$waiting[0] is the primary\n";
    return 0;
}
