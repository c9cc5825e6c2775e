// The printable mount: a sensor holder, and the back and the lid of a case for the Pi.
//
//   openscad -o holder.stl -D 'part="holder"' -D 'sensor="hc-sr04"' hardware/mount.scad
//
// or `python -m hardware.mount` for all of them, checked. Millimetres and degrees throughout.
// In the assembly X is to the right, seen from behind the wearer, Z is up, and -Y is away from
// the body, where the sensor looks.
//
// PETG (or ASA), 0.2 mm layers, 4 walls, 30 % filling, no supports. PLA goes soft in a car.
//   holder     top down: the roof of the box and the top edge of the back plate lie on the bed,
//              with a brim. Box, strap slots and arrow all stand upright in this position.
//   case_back  as it is: the plate on the bed, the walls up.
//   case_lid   outer face on the bed, lip up.
//
// Screws that cut their own thread: for the Pi four M2.5 x 8, for the lid four M3 x 10, for an
// HC-SR04 or a JSN-SR04T two M3 x 10 through the box's sides. With washers and nuts: for an A02YYUW
// two M3 x 16, for a TF-Luna two M2 x 10. Zip ties up to 4 mm wide.
//
// A sensor of the same name from another maker has other dimensions. Measure yours before you
// print, and set what differs below.

/* [What] */
part = "assembly"; // [assembly, holder, case_back, case_lid, plate]
sensor = "hc-sr04"; // [hc-sr04, jsn-sr04t, a02yyuw, tf-luna]
// How far the sensor looks up from the wearer's vertical; -1: what the table says
tilt_deg = -1;
// Width of the belt's webbing
strap_mm = 40;
// Sensor, boards and belt in the assembly
ghosts = true;

/* [Fit: measure yours] */
// Between a sensor and what holds it, each side
clearance_mm = 0.4;
// HC-SR04: sold as 45 x 20; boards of 43 x 20 to 45.5 x 20.5 are about
board_w_mm = 45;
board_h_mm = 20.5;
board_thick_mm = 1.6;
// HC-SR04: the two cylinders, their height above the board and between their middles
can_d_mm = 16;
can_h_mm = 12.2;
can_apart_mm = 26;
// JSN-SR04T: the barrel behind the eye's rim, and the rim
barrel_d_mm = 22;
rim_d_mm = 24;
// Of the plugs on the Pi's header above its board; 10 where wires are soldered
plugs_mm = 22;
// Beside the Pi, for the board with the transistors, or a JSN-SR04T's own (41 x 28.5)
bay_mm = 40;
// Openings for the Pi's HDMI and second USB port as well
all_ports = false;

/* [Print] */
wall_mm = 3;
plate_mm = 4;
$fn = 48;

// Per sensor: name, tilt_deg, half_angle_deg, flare_deg, proud_mm, inside_mm, above_mm, below_mm,
// depth_mm.
// half_angle_deg is the beam's, as in device/sensors. The sensor's face stands proud_mm before the
// holder's; flare_deg is how wide the opening is cut should a clone's face stand behind it (90:
// nothing of the holder can be in front). inside_mm is the box's clear width, above_mm and
// below_mm its reach from the sensor's middle, depth_mm what is clear at its roof.
//
// hc-sr04: 45 x 20 x 15 mm in its user's manual (Elecfreaks); cylinders of 16 mm, 26 mm apart, 12
// to 12.5 mm high from users' models. Slides in from below, cables down.
// jsn-sr04t: the eye of a car's parking sensor. No drawing was found; assumed for a bumper's hole
// of 22 mm (eyes for 18 mm are about too). Pushed in from the front up to its rim.
// a02yyuw: two eyes on a flat body with an ear and a screw at either end (maker's photograph). No
// drawing was found: the slots take screws 60 to 88 mm apart. Sits on the face, cable down.
// tf-luna: 35 x 21.25 x 13.5 mm in its manual (SJ-PM-TF-Luna); 35 mm is from ear to ear. The
// screws' distance is not in the text: the slots take 26 to 33 mm. Sits on the face, plug down.
SENSORS = [
  ["hc-sr04",    5, 15, 25,  1.0, 46.2, 11.5, 15, 15],
  ["jsn-sr04t", 10, 35, 90,  2.0, 30.0, 15.0, 16, 30],
  ["a02yyuw",   10, 30, 90, 10.0, 94.0, 13.0, 13, 16],
  ["tf-luna",    0,  1, 90, 13.5, 40.0, 12.0, 12, 14],
];
// Ears: name, least and most between the screws, hole, body width, height, depth (body: ghost only)
EARS = [
  ["a02yyuw", 60, 88, 3.4, 64, 30, 10],
  ["tf-luna", 26, 33, 2.4, 26, 21.25, 13.5],
];

row = SENSORS[search([sensor], SENSORS)[0]];
ears = EARS[search([sensor], EARS)[0]];
assert(row != undef, "sensor: hc-sr04, jsn-sr04t, a02yyuw or tf-luna");
tilt = tilt_deg < 0 ? row[1] : tilt_deg;
assert(tilt <= 20, "tilt_deg: 0 to 20");
half_angle = row[2];
flare = row[3];
proud = row[4];
// The HC-SR04's box follows its board.
inside = sensor == "hc-sr04" ? board_w_mm + 3 * clearance_mm : row[5];
above = row[6];
below = row[7];
depth = row[8];

// The strap's slots, in both back plates
slot_h = strap_mm + 2;
slot_w = 5;
bar = 7;
edge = 6;

// A zip tie of up to 4 mm
tie_w = 4.5;
tie_t = 2;

eps = 0.01;

// ---------------------------------------------------------------- small things

// A straight stroke between two points in the plane
module stroke(a, b, w) {
  hull() {
    translate(a) circle(d = w, $fn = 16);
    translate(b) circle(d = w, $fn = 16);
  }
}

// An arrow and "UP", 9 mm high and 20 wide, its middle at the origin. No font: the same everywhere.
module up_mark(w = 1.6) {
  translate([-7, 0]) {
    stroke([0, -4], [0, 4], w);
    stroke([0, 4], [-3, 1], w);
    stroke([0, 4], [3, 1], w);
  }
  translate([0, 0]) {
    stroke([-2, 4], [-2, -2], w);
    stroke([2, 4], [2, -2], w);
    stroke([-2, -2], [-0.8, -4], w);
    stroke([2, -2], [0.8, -4], w);
    stroke([-0.8, -4], [0.8, -4], w);
  }
  translate([7, 0]) {
    stroke([-2, -4], [-2, 4], w);
    stroke([-2, 4], [1, 4], w);
    stroke([-2, 0], [1, 0], w);
    stroke([1, 4], [2, 3], w);
    stroke([2, 3], [2, 1], w);
    stroke([2, 1], [1, 0], w);
  }
}

module rounded(w, h, r) {
  offset(r) offset(-r) square([w, h]);
}

// What a zip tie needs in a plate of `t`, along y over `apart`: two slots, and a groove in the
// back so that it does not stand out there. Its middle at the origin, the plate's back at z = 0.
module tie_slots(apart, t) {
  for (s = [-1, 1])
    translate([-tie_w / 2, s * apart / 2 - tie_t / 2, -1]) cube([tie_w, tie_t, t + 2]);
  translate([-tie_w / 2, -apart / 2 - tie_t / 2, -1]) cube([tie_w, apart + tie_t, 1 + 1.6]);
}

// ---------------------------------------------------------------- sensor holder

box_w = inside + 2 * wall_mm;
holder_w = box_w + 2 * (3 + slot_w + bar);
middle = -wall_mm - above; // the sensor's, below the top edge
low = middle - below;      // the box's lower end
// The plate goes on below the box, for the mark and the cable's tie.
holder_h = max(slot_h + 2 * edge, 14 - low);
// From the plate's back to the face at the sensor's height
reach = plate_mm + depth + wall_mm / cos(tilt) + above * tan(tilt);

// Where the face is at a height
function face_y(z) = -reach + (z - middle) * tan(tilt);

// What is drawn in the sensor's own frame: x right, -y out of the face, z up along it.
module on_face() {
  translate([0, -reach, middle]) rotate([-tilt, 0, 0]) children();
}

// A side view (y, z), as thick as `w` and in the middle
module side(w) {
  translate([-w / 2, 0, 0]) rotate([90, 0, 90]) linear_extrude(w) children();
}

// The worn holder: the plate's back is y = 0, its top edge z = 0.
module holder() {
  difference() {
    union() {
      // Back plate
      translate([-holder_w / 2, 0, -holder_h])
        rotate([90, 0, 0]) linear_extrude(plate_mm) rounded(holder_w, holder_h, 5);
      // Box
      difference() {
        side(box_w) polygon([[-1, low], [-1, 0], [face_y(0), 0], [face_y(low), low]]);
        side(inside) polygon([
          // Not the plate's own face: two that coincide flicker in a preview.
          [-plate_mm / 2, low - 1], [-plate_mm / 2, -wall_mm],
          [face_y(-wall_mm) + wall_mm / cos(tilt), -wall_mm],
          [face_y(low - 1) + wall_mm / cos(tilt), low - 1],
        ]);
      }
      if (sensor == "hc-sr04") rails();
    }
    strap_slots();
    on_face() opening();
    // "UP" on the plate below the box, and the cable's tie on either side of it
    translate([0, -plate_mm + 0.8, -holder_h + 7.5])
      rotate([90, 0, 0]) linear_extrude(2) up_mark();
    for (s = [-1, 1])
      translate([s * 18, 0, -holder_h + 7.5]) rotate([90, 90, 0]) tie_slots(6, plate_mm);
  }
}

module strap_slots() {
  for (s = [-1, 1])
    translate([s * (box_w / 2 + 3 + slot_w / 2) - slot_w / 2, 1, -holder_h / 2 - slot_h / 2])
      rotate([90, 0, 0]) linear_extrude(plate_mm + 2) rounded(slot_w, slot_h, 2);
}

// HC-SR04: grooves in the sides that the board's ends slide up in, before and behind them. Before
// the board there is room for the cylinders only.
module rails() {
  gap = board_thick_mm + 0.5;
  ledge = can_h_mm - proud - wall_mm;
  front = (inside - can_apart_mm - can_d_mm) / 2 - 0.3;
  intersection() {
    on_face() for (s = [-1, 1]) {
      for (rail = [[wall_mm - eps, ledge, front], [wall_mm + ledge + gap, 2.5, 3.5]])
        translate([s * (inside / 2 - rail[2] / 2 + 0.5) - rail[2] / 2 - 0.5, rail[0], -below - 5])
          cube([rail[2] + 1, rail[1], above + below + 10]);
    }
    side(inside + 1) polygon([[-1, low], [-1, -1], [face_y(-1), -1], [face_y(low), low]]);
  }
}

// What the sensor needs cut out of the face
module opening() {
  if (sensor == "hc-sr04") {
    r = can_d_mm / 2 + clearance_mm;
    for (s = [-1, 1]) translate([s * can_apart_mm / 2, 0, 0]) {
      // From below up to the middle: it slides in. The edge is flared.
      slide(r, r, -1, wall_mm + 1);
      slide(r + 2 * tan(flare), r, -eps, 2);
    }
    // Screws below the board's ends
    side_screws(can_h_mm - proud + board_thick_mm / 2, -board_h_mm / 2 - 1.9);
  } else if (sensor == "jsn-sr04t") {
    rotate([-90, 0, 0]) translate([0, 0, -1])
      cylinder(d = barrel_d_mm + 2 * clearance_mm, h = wall_mm + 2);
    // Screws that hold the barrel from the sides
    side_screws(wall_mm + 6, 0);
  } else {
    for (s = [-1, 1])
      rotate([-90, 0, 0]) translate([0, 0, -1]) linear_extrude(wall_mm + 2)
        stroke([s * ears[1] / 2, 0], [s * ears[2] / 2, 0], ears[3]);
  }
}

// A slot from below, round at its upper end: radius `r1` at `y`, `r2` at `y + h`
module slide(r1, r2, y, h) {
  for (z = [0, -below - 6]) translate([0, y, z]) hull_pair(z) rotate([-90, 0, 0])
    cylinder(r1 = r1, r2 = r2, h = h);
}

// The cylinder's own, and from there down to the box's end
module hull_pair(z) {
  hull() {
    children();
    if (z == 0) translate([0, 0, -below - 6]) children();
  }
}

module side_screws(y, z) {
  for (s = [-1, 1])
    translate([s * (inside / 2 - 1), y, z]) rotate([0, s * 90, 0])
      cylinder(d = 2.6, h = wall_mm + 2, $fn = 24);
}

// ---------------------------------------------------------------- case for the Pi

// Raspberry Pi Zero 2 W, from its mechanical drawing: board, holes, ports along the long edge from
// the corner that the SD card is nearest to, the card's middle along the short one.
pi_w_mm = 65;
pi_h_mm = 30;
pi_hole_inset_mm = 3.5;
pi_holes_x_mm = 58;
pi_holes_y_mm = 23;
pi_thick_mm = 1.4;
pi_hdmi_mm = 12.4;
pi_usb_mm = 41.4;
pi_power_mm = 54;
pi_card_mm = 16.9;

case_wall = 2.4;
lid_mm = 2.4;
post_mm = 4;
gap = 0.5;
// The sockets stand out over the board's edge.
gap_y = 1.5;
in_x = pi_w_mm + 2 * gap;
in_y = pi_h_mm + gap_y + gap + bay_mm;
in_z = post_mm + pi_thick_mm + plugs_mm;
board_z = plate_mm + post_mm + pi_thick_mm;
wing = 8 + slot_w + bar;
strap_y = slot_h / 2 + 12;
exit_y = in_y - 11;
case_w = in_x + 2 * (case_wall + wing);
case_h = in_y + 2 * case_wall;
bosses = [for (x = [-case_wall - 2.6, in_x + case_wall + 2.6]) for (y = [2, in_y - 2]) [x, y]];

module case_outline() {
  translate([-case_wall, -case_wall])
    rounded(in_x + 2 * case_wall, in_y + 2 * case_wall, 3);
}

// The plate on the bed, the cavity's corner at the origin. +y is up when worn: the USB socket
// looks down.
module case_back() {
  assert(strap_y + strap_mm / 2 < exit_y - 5,
         "the belt covers the wires' way out: a larger bay_mm makes room");
  difference() {
    union() {
      linear_extrude(plate_mm)
        translate([-case_wall - wing, -case_wall]) rounded(case_w, case_h, 5);
      linear_extrude(plate_mm + in_z) difference() {
        case_outline();
        square([in_x, in_y]);
      }
      linear_extrude(plate_mm + in_z) difference() {
        for (p = bosses) translate(p) circle(d = 7.6);
        square([in_x, in_y]);
      }
      pi_holes() cylinder(d = 6, h = plate_mm + post_mm);
    }
    // M2.5 screws for the Pi, M3 for the lid, both cut their own thread
    pi_holes() translate([0, 0, 1]) cylinder(d = 2.1, h = plate_mm + post_mm, $fn = 24);
    for (p = bosses) translate([p[0], p[1], plate_mm + in_z - 12])
      cylinder(d = 2.6, h = 13, $fn = 24);
    // Strap
    for (x = [-case_wall - 8 - slot_w, in_x + case_wall + 8])
      translate([x, strap_y - slot_h / 2, -1])
        linear_extrude(plate_mm + 2) rounded(slot_w, slot_h, 2);
    // USB, the power's always
    for (port = all_ports ? [[pi_power_mm, 12.5], [pi_usb_mm, 12.5], [pi_hdmi_mm, 16]]
                          : [[pi_power_mm, 12.5]])
      translate([gap + port[0] - port[1] / 2, -case_wall - 1, board_z + 1.4 - 4.25])
        cube([port[1], case_wall + 2, 8.5]);
    // The card, wide enough for tweezers
    translate([-case_wall - 1, gap_y + pi_card_mm - 8, board_z - 1.5])
      cube([case_wall + 2, 16, 6]);
    // Wires: out on both sides along the plate, above the belt, each bundle under a tie
    for (x = [-case_wall - 1, in_x - 1])
      translate([x, exit_y - 5, plate_mm]) cube([case_wall + 2, 10, 6]);
    for (x = [-case_wall - 4.5, in_x + case_wall + 4.5])
      translate([x, exit_y, 0]) tie_slots(8, plate_mm);
    // Two ties for the board in the bay
    for (x = [14, in_x - 14])
      translate([x, in_y - bay_mm / 2, 0]) tie_slots(bay_mm - 5, plate_mm);
    // "UP" on the floor of the bay
    translate([in_x / 2, in_y - bay_mm / 2, plate_mm - 0.8]) linear_extrude(2) up_mark();
  }
}

module pi_holes() {
  for (x = [0, pi_holes_x_mm]) for (y = [0, pi_holes_y_mm])
    translate([gap + pi_hole_inset_mm + x, gap_y + pi_hole_inset_mm + y, 0]) children();
}

// As printed: the outer face on the bed, so seen from inside.
module case_lid() {
  difference() {
    union() {
      linear_extrude(lid_mm) {
        case_outline();
        for (p = bosses) translate(p) circle(d = 7.6);
      }
      linear_extrude(lid_mm + 2) difference() {
        translate([0.3, 0.3]) rounded(in_x - 0.6, in_y - 0.6, 1);
        translate([1.9, 1.9]) square([in_x - 3.8, in_y - 3.8]);
      }
    }
    for (p = bosses) translate([p[0], p[1], -1]) cylinder(d = 3.4, h = lid_mm + 2, $fn = 24);
    translate([in_x / 2, in_y / 2, -1]) mirror([1, 0, 0]) linear_extrude(1 + 0.8) scale(1.6)
      up_mark();
  }
}

// ---------------------------------------------------------------- what is not printed

module sensor_ghost() {
  on_face() {
    if (sensor == "hc-sr04") {
      translate([0, -proud, 0]) {
        color("silver") for (s = [-1, 1]) translate([s * can_apart_mm / 2, 0, 0])
          rotate([-90, 0, 0]) cylinder(d = can_d_mm, h = can_h_mm);
        color("dimgray") for (s = [-1, 1]) translate([s * can_apart_mm / 2, -0.05, 0])
          rotate([-90, 0, 0]) cylinder(d = can_d_mm - 3, h = 1);
        color("steelblue") translate([-board_w_mm / 2, can_h_mm, -board_h_mm / 2])
          cube([board_w_mm, board_thick_mm, board_h_mm]);
      }
    } else if (sensor == "jsn-sr04t") {
      color("dimgray") rotate([-90, 0, 0]) {
        translate([0, 0, -proud]) cylinder(d = rim_d_mm, h = proud);
        cylinder(d = barrel_d_mm, h = 16);
      }
    } else {
      color("dimgray") {
        translate([-ears[4] / 2, -ears[6], -ears[5] / 2]) cube([ears[4], ears[6], ears[5]]);
        for (s = [-1, 1]) rotate([-90, 0, 0]) translate([0, 0, -3]) linear_extrude(3)
          difference() {
            stroke([0, 0], [s * (ears[1] + ears[2]) / 4, 0], 2 * ears[3]);
            translate([s * (ears[1] + ears[2]) / 4, 0]) circle(d = ears[3]);
          }
      }
      color("silver") for (s = [-1, 1]) translate([s * ears[4] / 4, -ears[6] - 0.5, 0])
        rotate([-90, 0, 0]) cylinder(d = ears[4] / 2.8, h = 1);
    }
  }
}

module pi_ghost() {
  translate([gap, gap_y, board_z - pi_thick_mm]) {
    color("seagreen") cube([pi_w_mm, pi_h_mm, pi_thick_mm]);
    color("silver") {
      translate([pi_power_mm - 4, -1, pi_thick_mm]) cube([8, 5, 2.7]);
      translate([pi_usb_mm - 4, -1, pi_thick_mm]) cube([8, 5, 2.7]);
      translate([pi_hdmi_mm - 5.6, -0.7, pi_thick_mm]) cube([11.2, 7, 3.3]);
      translate([-2, pi_card_mm - 5.5, pi_thick_mm]) cube([14, 11, 1.4]);
    }
    color("black") translate([7.1, pi_h_mm - 6, pi_thick_mm]) cube([50.8, 5, 8.5]);
  }
}

// Through the slots of the holder and of the case: behind both plates, before all bars
module belt_ghost(from, to, z, holes) {
  color("slategray") translate([0, 0, z - strap_mm / 2]) {
    for (h = holes) {
      translate([h[0], 0.3, 0]) cube([h[1] - h[0], 1.5, strap_mm]);
      for (x = [h[0] - 1.5, h[1]]) translate([x, -plate_mm - 1.8, 0])
        cube([1.5, plate_mm + 3.6, strap_mm]);
    }
    ends = concat([from], [for (h = holes) each h], [to]);
    for (i = [0:2:len(ends) - 1]) translate([ends[i], -plate_mm - 1.8, 0])
      cube([ends[i + 1] - ends[i], 1.5, strap_mm]);
  }
}

// ---------------------------------------------------------------- all together

// Worn on one belt: the holder in the middle of the back, the case to its right, its lid beside it
module assembly() {
  apart = holder_w / 2 + 22 + case_wall + wing;
  case_z = -holder_h / 2 - strap_y;
  lid_x = in_x + case_wall + wing + 45;
  // Rendered whole: a preview draws the cuts with specks
  color("orange") render() holder();
  translate([apart, 0, case_z]) {
    color("orange") rotate([90, 0, 0]) render() case_back();
    if (ghosts) rotate([90, 0, 0]) pi_ghost();
    color("gold") translate([lid_x, -plate_mm, 0])
      rotate([90, 0, 0]) translate([in_x, 0, lid_mm]) rotate([0, 180, 0]) render() case_lid();
  }
  if (ghosts) {
    sensor_ghost();
    // The engraved marks, inked
    color("black") {
      translate([0, -plate_mm + 0.9, -holder_h + 7.5])
        rotate([90, 0, 0]) linear_extrude(1) up_mark();
      translate([apart + in_x / 2, -plate_mm + 0.9, case_z + in_y - bay_mm / 2])
        rotate([90, 0, 0]) linear_extrude(1) up_mark();
      translate([apart + lid_x + in_x / 2, -plate_mm - lid_mm + 0.9, case_z + in_y / 2])
        rotate([90, 0, 0]) linear_extrude(1) scale(1.6) up_mark();
    }
    half = box_w / 2 + 3 + slot_w / 2;
    left = apart - case_wall - 8 - slot_w / 2;
    right = apart + in_x + case_wall + 8 + slot_w / 2;
    belt_ghost(-holder_w / 2 - 25, right + 35, -holder_h / 2, [[-half, half], [left, right]]);
  }
}

// Top down on the bed
module holder_printed() {
  rotate([180, 0, 0]) holder();
}

// Of the printed holder: the middle of the sensor's face and where it looks, for a check that
// nothing is in front of it.
eye = [0, reach + proud * cos(tilt), -middle - proud * sin(tilt)];
looks = [0, cos(tilt), -sin(tilt)];

if (part == "holder") {
  echo(eye = eye, looks = looks, half_angle_deg = half_angle);
  holder_printed();
} else if (part == "case_back") {
  case_back();
} else if (part == "case_lid") {
  case_lid();
} else if (part == "plate") {
  translate([case_wall + wing, case_wall, 0]) case_back();
  translate([case_wall + 6.4, case_h + 6 + case_wall, 0]) case_lid();
  translate([case_w + 6, holder_w / 2, 0]) rotate([0, 0, -90]) holder_printed();
} else {
  assert(part == "assembly", "part: assembly, holder, case_back, case_lid or plate");
  // Lying down, where the light of OpenSCAD's picture falls on the fronts
  rotate([-90, 0, 0]) assembly();
}
